/** A DNS label in lower case, of any length. Source: RFC 1123, section 2.1; also RE2, for CRDs. */
export const dnsLabelPattern = /^[a-z0-9]([-a-z0-9]*[a-z0-9])?$/;

/** A DNS subdomain in lower case, of any length: labels with dots between them. Source: as above. */
export const dnsSubdomainPattern = /^[a-z0-9]([-a-z0-9]*[a-z0-9])?([.][a-z0-9]([-a-z0-9]*[a-z0-9])?)*$/;
