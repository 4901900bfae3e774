const decoder = new TextDecoder('utf-8', { ignoreBOM: true });

/** Bytes of the system as text that is valid everywhere: what is no UTF-8 becomes U+FFFD. */
export const textFromBytes = (bytes: Uint8Array): string => decoder.decode(bytes);
