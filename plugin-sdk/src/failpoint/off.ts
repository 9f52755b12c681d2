/** What a published package has in place of failpoints: nothing happens. */
export const failpoint = (_name: string): undefined => undefined;
