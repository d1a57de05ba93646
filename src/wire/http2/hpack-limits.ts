/** Numbers of HPACK that both directions share. */

/** What a field counts beside its name and value (RFC 7541 section 4.1, RFC 9113 section 6.5.2). */
export const FIELD_OVERHEAD = 32;

/** SETTINGS_HEADER_TABLE_SIZE that is in force until another has been acknowledged (RFC 9113 section 6.5.2). */
export const INITIAL_TABLE_BYTES = 4096;
