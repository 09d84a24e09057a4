import type { CreateImageBody, DownloadImageBody, ImagesQuery, ImportImageBody } from '../shapes.js';
import { type CallOptions, initOf, type MutationOptions, type Transport } from '../transport.js';
import { type UploadOptions, type UploadSource, uploadImageContent } from '../upload-image-content.js';
import { type UploadPartsOptions, uploadImageInParts } from '../upload-image-parts.js';

export const imageCalls = (transport: Transport) => {
  const { api, bodyOf } = transport;
  return {
    list: (query: ImagesQuery = {}, options?: CallOptions) =>
      bodyOf(api.GET('/v1/images', { params: { query }, ...initOf(options) }), options),
    get: (imageId: string, options?: CallOptions) =>
      bodyOf(api.GET('/v1/images/{imageId}', { params: { path: { imageId } }, ...initOf(options) }), options),
    /** Makes the image's row; its content follows by `uploadContent`. */
    create: (body: CreateImageBody, options?: MutationOptions) =>
      bodyOf(api.POST('/v1/images', { body, ...initOf(options) }), options),
    import: (body: ImportImageBody, options?: MutationOptions) =>
      bodyOf(api.POST('/v1/images/import', { body, ...initOf(options) }), options),
    /** Fetches it from a web server; `operation` tells when it is there. */
    download: (body: DownloadImageBody, options?: MutationOptions) =>
      bodyOf(api.POST('/v1/images/download', { body, ...initOf(options) }), options),
    uploadContent: (imageId: string, source: UploadSource, options?: UploadOptions) =>
      uploadImageContent(transport, imageId, source, options),
    /** As uploadContent, of a file, in parts: what breaks off is taken up where it was, also by a later call. */
    uploadInParts: (imageId: string, path: string, options: UploadPartsOptions) =>
      uploadImageInParts(transport, imageId, path, options),
    delete: async (imageId: string, options?: CallOptions): Promise<void> => {
      await bodyOf(api.DELETE('/v1/images/{imageId}', { params: { path: { imageId } }, ...initOf(options) }), options);
    },
  };
};
