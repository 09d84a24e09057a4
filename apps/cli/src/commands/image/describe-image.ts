import type { Image } from '@kvorum/client';
import { formatByteSize } from '../../byte-size.js';
import type { Column, Field } from '../../print-table.js';

export const IMAGE_COLUMNS: readonly Column<Image>[] = [
  { title: 'NAME', of: (image) => image.name },
  { title: 'STATE', of: (image) => image.state },
  { title: 'PUBLIC', of: (image) => image.isPublic },
  { title: 'SIZE', of: (image) => formatByteSize(image.sizeBytes) },
  { title: 'DISK', of: (image) => formatByteSize(image.virtualSizeBytes) },
  { title: 'ID', of: (image) => image.id },
];

export const describeImage = (image: Image): readonly Field[] => [
  ['name', image.name],
  ['id', image.id],
  ['state', image.state],
  ['public', image.isPublic],
  ['format', image.format],
  ['size', formatByteSize(image.sizeBytes)],
  ['disk size', formatByteSize(image.virtualSizeBytes)],
  ['sha256', image.sha256],
  ...(image.description === null ? [] : [['description', image.description] as const]),
  ...(image.source.vm === null
    ? []
    : [['published from', `VM ${image.source.vm.name} (${image.source.vm.id}), ${image.source.vm.takenAt}`] as const]),
  ...(image.source.url === null ? [] : [['fetched from', image.source.url] as const]),
  ...(image.source.format === null || image.source.format === 'qcow2'
    ? []
    : ([
        ['converted from', image.source.format],
        ['sha256 before', image.source.sha256],
      ] as const)),
  ['project', image.projectId],
  ['created', image.createdAt],
  ...(image.failure === null ? [] : [['failure', `${image.failure.code}: ${image.failure.message}`] as const]),
];
