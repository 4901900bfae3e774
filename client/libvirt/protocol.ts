// SPDX-License-Identifier: Apache-2.0
/**
 * Numbers of libvirt's RPC, as its daemons and `virsh` of 9.0 and 12.9 use them on the wire. The form of a packet is told by libvirt's
 * page "libvirt RPC infrastructure", the numbers of errors and events by its reference of the API.
 */
export const program = {
  remote: 0x2000_8086,
  qemu: 0x2000_8087,
  /** `keep`. */
  keepAlive: 0x6b65_6570,
} as const;

/** Of all three programs. */
export const VERSION = 1;

export const messageType = { call: 0, reply: 1, message: 2 } as const;
export const messageStatus = { ok: 0, error: 1 } as const;

export const procedure = {
  open: 1,
  lookUpById: 22,
  lookUpByName: 23,
  lookUpByUuid: 24,
  supportsFeature: 60,
  authList: 66,
  authPolkit: 70,
  listAllDomains: 273,
  registerEvent: 316,
  deregisterEvent: 317,
  agentLifecycleEvent: 348,
} as const;

/** Of the program `qemu`. */
export const AGENT_COMMAND = 3;
/** Of the program `keepAlive`. */
export const keepAliveProcedure = { ping: 1, pong: 2 } as const;
/** The daemon may ask whether this side is still there. */
export const FEATURE_KEEP_ALIVE = 10;

export const authentication = { none: 0, sasl: 1, polkit: 2 } as const;

export const eventId = { agentLifecycle: 18 } as const;

/** `timeout` of the agent command, beside a number of seconds. */
export const agentTimeout = { forEver: -2, libvirtsOwn: -1 } as const;

/** virErrorNumber, those that mean something of their own here. */
export const errorNumber = {
  noSupport: 3,
  operationDenied: 29,
  noDomain: 42,
  authFailed: 45,
  operationInvalid: 55,
  configUnsupported: 67,
  operationTimeout: 68,
  argumentUnsupported: 74,
  authCancelled: 79,
  agentUnresponsive: 86,
  accessDenied: 88,
  authUnavailable: 94,
} as const;

/** Bytes of a text in a packet, as the agent's command and its answer are: longer ones the daemon does not pass on. */
export const MOST_TEXT = 4 * 1024 * 1024;
/** Bytes of a packet. */
export const MOST_PACKET = 32 * 1024 * 1024;
/** Its length and its head. */
export const HEAD_BYTES = 28;
