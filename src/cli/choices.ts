/** Words that options take. Apart from what they choose: `--help` must not load it. */

export const FORMATS = ["text", "json", "sarif"] as const;

/** From the one that matters most. */
export const SEVERITIES = ["error", "warning", "note"] as const;

export const TEST_FORMATS = ["spec", "tap", "junit", "json"] as const;
