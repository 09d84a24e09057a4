import { DomainError, type Image } from '@kvorum/schema';
import type { Actor } from '../control-plane.js';
import { canSeeProject } from '../token/project-scope.js';
import { visible } from './images.js';

/** An image the actor may change: public ones of other projects can be seen and used, not changed. */
export function requireOwnImage(actor: Actor, image: Image | null): Image {
  const found = visible(actor, image);
  if (canSeeProject(actor, found.projectId)) return found;
  throw new DomainError('forbidden', 'the image belongs to another project');
}
