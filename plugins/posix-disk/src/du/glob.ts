/** A pattern of du that means this name and no other (fnmatch(3)). */
export const escapeGlob = (name: string): string => name.replace(/[\\*?[\]]/g, '\\$&');
