import type { Token } from '@kvorum/client';
import type { Column, Field } from '../../print-table.js';

export const TOKEN_COLUMNS: readonly Column<Token>[] = [
  { title: 'NAME', of: (token) => token.name },
  { title: 'ROLE', of: (token) => token.role },
  { title: 'PROJECT', of: (token) => token.projectId ?? 'all' },
  { title: 'EXPIRES', of: (token) => token.expiresAt },
  { title: 'REVOKED', of: (token) => token.revokedAt },
  { title: 'ID', of: (token) => token.id },
];

export const describeToken = (token: Token): readonly Field[] =>
  TOKEN_COLUMNS.map((column) => [column.title.toLowerCase(), column.of(token)] as const);
