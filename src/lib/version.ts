/** The version of this software; a test holds it equal to package.json. */
export const version = '0.1.0';
