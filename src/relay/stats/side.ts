/** The side that a failure comes from. */
export type Side = 'client' | 'upstream' | 'relay';
