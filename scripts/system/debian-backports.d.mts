export const addBackports: (suite: string, aptDir?: string) => { readonly file: string; readonly text: string } | null;
