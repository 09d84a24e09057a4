import type { ProjectId, Role, TokenId } from '@kvorum/schema';

/** Who asks: the token a request came with. `projectId` null: the token is for the whole site. */
export interface Actor {
  readonly tokenId: TokenId;
  readonly tokenName: string;
  readonly role: Role;
  readonly projectId: ProjectId | null;
}
