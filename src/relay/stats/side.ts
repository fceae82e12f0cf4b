/** Whose fault the end of a connection is. */
export type Side = 'client' | 'upstream' | 'relay';
