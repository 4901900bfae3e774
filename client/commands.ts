// SPDX-License-Identifier: Apache-2.0
/*
 * Made from core/schema by `node scripts/docs-commands.ts`; change the schema, not this file.
 *
 * Integers are exact over 64 bits: answers bring `bigint`, arguments may be numbers where these are safe. Names are those of the wire.
 */

export type NoArguments = Readonly<Record<string, never>>;

/** Every command by its name: what it takes and what it answers. */
export interface Commands {
  /**
   * Gives a number back, with a byte 0xFF in front of the answer, so that the host finds the place in the stream at which answers to its
   * own requests begin.
   *
   * Answers: The same number.
   *
   * Since qemu-ga 1.1. Answered while frozen.
   */
  readonly 'guest-sync-delimited': {
    readonly arguments: {
      /** A number that the host has chosen at random. */
      readonly id: bigint | number;
    };
    readonly result: bigint;
  };

  /**
   * Gives a number back, so that the host can tell which answers are to its own requests.
   *
   * Answers: The same number.
   *
   * Since qemu-ga 0.15. Answered while frozen.
   */
  readonly 'guest-sync': {
    readonly arguments: {
      /** A number that the host has chosen at random. */
      readonly id: bigint | number;
    };
    readonly result: bigint;
  };

  /**
   * Does nothing: an answer shows that the agent is there.
   *
   * Since qemu-ga 0.15. Answered while frozen.
   */
  readonly 'guest-ping': {
    readonly arguments: NoArguments;
    readonly result: void;
  };

  /**
   * Asks the guest's wall clock.
   *
   * Answers: Nanoseconds since 1970-01-01 UTC, in whole microseconds.
   *
   * Since qemu-ga 1.5. Refused while frozen.
   */
  readonly 'guest-get-time': {
    readonly arguments: NoArguments;
    readonly result: bigint;
  };

  /**
   * Sets the guest's wall clock and then its hardware clock. Without a time the wall clock is set from that of the hypervisor, where the
   * guest has one (PTP), or else from the hardware clock, which is what a guest needs after it was suspended or restored.
   *
   * Since qemu-ga 1.5. Refused while frozen.
   */
  readonly 'guest-set-time': {
    readonly arguments: {
      /** Nanoseconds since 1970-01-01 UTC. Absent: take the time from the hypervisor or the hardware clock. */
      readonly time?: bigint | number;
    };
    readonly result: void;
  };

  /**
   * Tells the release of the agent and which commands it has.
   *
   * Since qemu-ga 0.15. Answered while frozen.
   */
  readonly 'guest-info': {
    readonly arguments: NoArguments;
    readonly result: GuestAgentInfo;
  };

  /**
   * Starts an orderly shutdown of the guest. The host learns of the success from the machine, not from an answer.
   *
   * Since qemu-ga 0.15. Refused while frozen. Nothing is sent on success.
   */
  readonly 'guest-shutdown': {
    readonly arguments: {
      /** `powerdown` (default), `halt` or `reboot`. */
      readonly mode?: 'powerdown' | 'halt' | 'reboot';
    };
    readonly result: void;
  };

  /**
   * Opens a file in the guest. Reading and writing never wait for the other side of a FIFO or a terminal.
   *
   * Answers: The handle: a number that no other file had or will have on this guest.
   *
   * Since qemu-ga 0.15. Refused while frozen.
   */
  readonly 'guest-file-open': {
    readonly arguments: {
      /** Where it is; a relative path counts from the working directory of the agent. */
      readonly path: string;
      /**
       * As in fopen(3): `r` (default), `w`, `a`, `r+`, `w+`, `a+`, each also with `b`. A file that is created has mode 0644, whatever the
       * umask, or the one of the setting `file-mode`.
       */
      readonly mode?: 'r' | 'rb' | 'w' | 'wb' | 'a' | 'ab' | 'r+' | 'rb+' | 'r+b' | 'w+' | 'wb+' | 'w+b' | 'a+' | 'ab+' | 'a+b';
    };
    readonly result: bigint;
  };

  /**
   * Closes an open file. The handle is gone afterwards, whatever the system says of the closing.
   *
   * Since qemu-ga 0.15. Refused while frozen.
   */
  readonly 'guest-file-close': {
    readonly arguments: {
      /** A number from guest-file-open. */
      readonly handle: bigint | number;
    };
    readonly result: void;
  };

  /**
   * Reads from an open file, from its position on.
   *
   * Since qemu-ga 0.15. Refused while frozen.
   */
  readonly 'guest-file-read': {
    readonly arguments: {
      /** A number from guest-file-open. */
      readonly handle: bigint | number;
      /** At most how many bytes: 0 to 50331648 (48 MiB), 4096 by default. */
      readonly count?: bigint | number;
    };
    readonly result: GuestFileRead;
  };

  /**
   * Writes to an open file, from its position on. The bytes are with the operating system when the answer comes.
   *
   * Since qemu-ga 0.15. Refused while frozen.
   */
  readonly 'guest-file-write': {
    readonly arguments: {
      /** A number from guest-file-open. */
      readonly handle: bigint | number;
      /** The bytes in base64; line feeds within are passed over. */
      readonly 'buf-b64': string;
      /** How many of them to write; all by default. */
      readonly count?: bigint | number;
    };
    readonly result: GuestFileWrite;
  };

  /**
   * Moves the position of an open file. An offset of 0 from `cur` only tells it.
   *
   * Since qemu-ga 0.15. Refused while frozen.
   */
  readonly 'guest-file-seek': {
    readonly arguments: {
      /** A number from guest-file-open. */
      readonly handle: bigint | number;
      /** Bytes to move by, negative for backwards. */
      readonly offset: bigint | number;
      /** Where from: the start (`set`, 0), the position (`cur`, 1) or the end (`end`, 2). */
      readonly whence: bigint | number | QGASeek;
    };
    readonly result: GuestFileSeek;
  };

  /**
   * Hands over to the operating system what was written to a file. Not a synchronisation to the disk.
   *
   * Since qemu-ga 0.15. Refused while frozen.
   */
  readonly 'guest-file-flush': {
    readonly arguments: {
      /** A number from guest-file-open. */
      readonly handle: bigint | number;
    };
    readonly result: void;
  };

  /**
   * Tells whether file systems are frozen by this agent.
   *
   * Since qemu-ga 0.15. Answered while frozen.
   */
  readonly 'guest-fsfreeze-status': {
    readonly arguments: NoArguments;
    readonly result: GuestFsfreezeStatus;
  };

  /**
   * Freezes every file system that can be frozen, so that a copy of the disks taken from outside is consistent. Until the thaw, or the
   * deadline of `freeze-timeout`, everything that writes to them waits.
   *
   * Answers: How many were frozen.
   *
   * Since qemu-ga 0.15. Refused while frozen.
   */
  readonly 'guest-fsfreeze-freeze': {
    readonly arguments: NoArguments;
    readonly result: bigint;
  };

  /**
   * Freezes file systems like guest-fsfreeze-freeze, but only those named.
   *
   * Answers: How many were frozen.
   *
   * Since qemu-ga 2.2. Refused while frozen.
   */
  readonly 'guest-fsfreeze-freeze-list': {
    readonly arguments: {
      /** Where they are mounted. Absent: all; empty: none. */
      readonly mountpoints?: readonly string[];
    };
    readonly result: bigint;
  };

  /**
   * Thaws every frozen file system, by whomever it was frozen. Allowed at any time.
   *
   * Answers: How many were thawed.
   *
   * Since qemu-ga 0.15. Answered while frozen.
   */
  readonly 'guest-fsfreeze-thaw': {
    readonly arguments: NoArguments;
    readonly result: bigint;
  };

  /**
   * Tells the disks which blocks are unused, on every mounted file system that can.
   *
   * Since qemu-ga 1.2. Refused while frozen.
   */
  readonly 'guest-fstrim': {
    readonly arguments: {
      /** Free ranges of fewer bytes than this are left alone; 0 by default. */
      readonly minimum?: bigint | number;
    };
    readonly result: GuestFilesystemTrimResponse;
  };

  /**
   * Hibernates the guest: its memory goes to the guest's own disk and the machine is powered off.
   *
   * Since qemu-ga 1.1. Refused while frozen. Nothing is sent on success.
   */
  readonly 'guest-suspend-disk': {
    readonly arguments: NoArguments;
    readonly result: void;
  };

  /**
   * Puts the guest to sleep with its memory kept (ACPI S3). The host wakes it with `system_wakeup`.
   *
   * Since qemu-ga 1.1. Refused while frozen. Nothing is sent on success.
   */
  readonly 'guest-suspend-ram': {
    readonly arguments: NoArguments;
    readonly result: void;
  };

  /**
   * Saves the memory to disk and then sleeps with it kept, so that a power failure meanwhile loses nothing.
   *
   * Since qemu-ga 1.1. Refused while frozen. Nothing is sent on success.
   */
  readonly 'guest-suspend-hybrid': {
    readonly arguments: NoArguments;
    readonly result: void;
  };

  /**
   * Lists network interfaces with their addresses and counters.
   *
   * Answers: In the order of the interface index.
   *
   * Since qemu-ga 1.1. Refused while frozen.
   */
  readonly 'guest-network-get-interfaces': {
    readonly arguments: NoArguments;
    readonly result: readonly GuestNetworkInterface[];
  };

  /**
   * Lists logical processors.
   *
   * Answers: By number.
   *
   * Since qemu-ga 1.5. Refused while frozen.
   */
  readonly 'guest-get-vcpus': {
    readonly arguments: NoArguments;
    readonly result: readonly GuestLogicalProcessor[];
  };

  /**
   * Brings logical processors up or down, one after the other, and stops at the first failure.
   *
   * Answers: How many, counted from the start of the list, are as wanted. An error only if not even the first is.
   *
   * Since qemu-ga 1.5. Refused while frozen.
   */
  readonly 'guest-set-vcpus': {
    readonly arguments: {
      /** What is wanted; processors that are not named stay as they are. */
      readonly vcpus: readonly GuestLogicalProcessorInput[];
    };
    readonly result: bigint;
  };

  /**
   * Lists disks and partitions.
   *
   * Answers: The one found last comes first, so that partitions stand before their disk.
   *
   * Since qemu-ga 5.2. Refused while frozen.
   */
  readonly 'guest-get-disks': {
    readonly arguments: NoArguments;
    readonly result: readonly GuestDiskInfo[];
  };

  /**
   * Lists mounted file systems that have a disk, with their sizes and disks.
   *
   * Answers: The one mounted last comes first.
   *
   * Since qemu-ga 2.2. Refused while frozen.
   */
  readonly 'guest-get-fsinfo': {
    readonly arguments: NoArguments;
    readonly result: readonly GuestFilesystemInfo[];
  };

  /**
   * Sets a user's password.
   *
   * Since qemu-ga 2.3. Refused while frozen.
   */
  readonly 'guest-set-user-password': {
    readonly arguments: {
      /** The user. */
      readonly username: string;
      /** The password in base64; it is sent as the guest will store or hash it. */
      readonly password: string;
      /** Whether the password is a hash already, in the form of crypt(5). */
      readonly crypted: boolean;
    };
    readonly result: void;
  };

  /**
   * Lists memory blocks.
   *
   * Answers: By number; empty where the kernel has no such notion.
   *
   * Since qemu-ga 2.3. Refused while frozen.
   */
  readonly 'guest-get-memory-blocks': {
    readonly arguments: NoArguments;
    readonly result: readonly GuestMemoryBlock[];
  };

  /**
   * Brings memory blocks up or down, each on its own: one that fails does not stop the others.
   *
   * Answers: One entry for each block given, in the same order.
   *
   * Since qemu-ga 2.3. Refused while frozen.
   */
  readonly 'guest-set-memory-blocks': {
    readonly arguments: {
      /** What is wanted; blocks that are not named stay as they are. */
      readonly 'mem-blks': readonly GuestMemoryBlockInput[];
    };
    readonly result: readonly GuestMemoryBlockResponse[];
  };

  /**
   * Tells how large a memory block is.
   *
   * Since qemu-ga 2.3. Refused while frozen.
   */
  readonly 'guest-get-memory-block-info': {
    readonly arguments: NoArguments;
    readonly result: GuestMemoryBlockInfo;
  };

  /**
   * Tells whether a program that guest-exec started has ended, and how, and what it wrote.
   *
   * Since qemu-ga 2.5. Refused while frozen.
   */
  readonly 'guest-exec-status': {
    readonly arguments: {
      /** Its process number, from guest-exec. */
      readonly pid: bigint | number;
    };
    readonly result: GuestExecStatus;
  };

  /**
   * Starts a program in the guest and answers as soon as it runs.
   *
   * Since qemu-ga 2.5. Refused while frozen.
   */
  readonly 'guest-exec': {
    readonly arguments: {
      /** The program; a name without a separator is looked for in PATH. */
      readonly path: string;
      /** Its arguments. */
      readonly arg?: readonly string[];
      /** Its whole environment, `NAME=VALUE` each; the agent's own where absent. */
      readonly env?: readonly string[];
      /** What it reads from standard input, in base64; nothing where absent. */
      readonly 'input-data'?: string;
      /**
       * What to keep of its output: `none` or false (default), `stdout`, `stderr`, `separated` or true, `merged` (both as one in the order
       * of writing; not on Windows).
       */
      readonly 'capture-output'?: boolean | GuestExecCaptureOutputMode;
    };
    readonly result: GuestExec;
  };

  /**
   * Tells the guest's host name.
   *
   * Since qemu-ga 2.10. Refused while frozen.
   */
  readonly 'guest-get-host-name': {
    readonly arguments: NoArguments;
    readonly result: GuestHostName;
  };

  /**
   * Lists users who are logged in.
   *
   * Answers: Each user once.
   *
   * Since qemu-ga 2.10. Refused while frozen.
   */
  readonly 'guest-get-users': {
    readonly arguments: NoArguments;
    readonly result: readonly GuestUser[];
  };

  /**
   * Tells the guest's time zone.
   *
   * Since qemu-ga 2.10. Refused while frozen.
   */
  readonly 'guest-get-timezone': {
    readonly arguments: NoArguments;
    readonly result: GuestTimezone;
  };

  /**
   * Tells which operating system and kernel the guest runs.
   *
   * Answers: What is not known is absent.
   *
   * Since qemu-ga 2.10. Refused while frozen.
   */
  readonly 'guest-get-osinfo': {
    readonly arguments: NoArguments;
    readonly result: GuestOSInfo;
  };

  /**
   * Lists drivers of paravirtual devices.
   *
   * Since qemu-ga 5.2. Refused while frozen.
   */
  readonly 'guest-get-devices': {
    readonly arguments: NoArguments;
    readonly result: readonly GuestDeviceInfo[];
  };

  /**
   * Lists the SSH keys with which one can log in as a user.
   *
   * Since qemu-ga 5.2. Refused while frozen.
   */
  readonly 'guest-ssh-get-authorized-keys': {
    readonly arguments: {
      /** The user. */
      readonly username: string;
    };
    readonly result: GuestAuthorizedKeys;
  };

  /**
   * Adds SSH keys to a user's file, where they are not in it yet.
   *
   * Since qemu-ga 5.2. Refused while frozen.
   */
  readonly 'guest-ssh-add-authorized-keys': {
    readonly arguments: {
      /** The user. */
      readonly username: string;
      /** Whole lines as in authorized_keys. */
      readonly keys: readonly string[];
      /** Whether the keys replace everything that is in the file; false by default. */
      readonly reset?: boolean;
    };
    readonly result: void;
  };

  /**
   * Removes SSH keys from a user's file. Other lines and comments stay.
   *
   * Since qemu-ga 5.2. Refused while frozen.
   */
  readonly 'guest-ssh-remove-authorized-keys': {
    readonly arguments: {
      /** The user. */
      readonly username: string;
      /** Whole lines, exactly as they are in the file. */
      readonly keys: readonly string[];
    };
    readonly result: void;
  };

  /**
   * Tells how much has been read from and written to each block device.
   *
   * Answers: In the kernel's order, partitions included; counters that it does not keep are absent.
   *
   * Since qemu-ga 7.1. Refused while frozen.
   */
  readonly 'guest-get-diskstats': {
    readonly arguments: NoArguments;
    readonly result: readonly GuestDiskStatsInfo[];
  };

  /**
   * Tells how each processor has spent its time.
   *
   * Answers: One entry for each processor that is on line; counters that the kernel does not keep are absent.
   *
   * Since qemu-ga 7.1. Refused while frozen.
   */
  readonly 'guest-get-cpustats': {
    readonly arguments: NoArguments;
    readonly result: readonly GuestCpuStats[];
  };

  /**
   * Tells how many tasks were running or wanted to, on average.
   *
   * Since qemu-ga 10.0. Refused while frozen.
   */
  readonly 'guest-get-load': {
    readonly arguments: NoArguments;
    readonly result: GuestLoadAverage;
  };

  /**
   * Lists the routes of the main table.
   *
   * Answers: IPv4 first, then IPv6.
   *
   * Since qemu-ga 9.1. Refused while frozen.
   */
  readonly 'guest-network-get-route': {
    readonly arguments: NoArguments;
    readonly result: readonly GuestNetworkRoute[];
  };

  /**
   * Lists packages of drivers that were added to the system's store.
   *
   * Answers: Of every vendor, whether or not a device uses them.
   *
   * Since qemu-ga 11.2. Refused while frozen.
   */
  readonly 'guest-get-driver-packages': {
    readonly arguments: NoArguments;
    readonly result: readonly GuestDriverPackageInfo[];
  };

  /**
   * Lists drivers that the system knows as services.
   *
   * Answers: Those that do not run, too.
   *
   * Since qemu-ga 11.2. Refused while frozen.
   */
  readonly 'guest-get-driver-services': {
    readonly arguments: NoArguments;
    readonly result: readonly GuestDriverServiceInfo[];
  };

  /**
   * Reports on the freeze that is on, or else on the last one of this agent: what was frozen, how long it took, what was left out and why,
   * what the hooks said and how it ended.
   *
   * Since concierge 0.1. Answered while frozen.
   */
  readonly '__org.concierge_fsfreeze-report': {
    readonly arguments: NoArguments;
    readonly result: ConciergeFreezeReport;
  };

  /**
   * Tells what a freeze would do now: which file systems it would freeze, in which order, what it would leave out and why, and which hooks
   * it would run. Nothing is opened for writing, flushed, frozen or run.
   *
   * Since concierge 0.1. Refused while frozen.
   */
  readonly '__org.concierge_fsfreeze-plan': {
    readonly arguments: {
      /** As for guest-fsfreeze-freeze-list. Absent: all. */
      readonly mountpoints?: readonly string[];
    };
    readonly result: ConciergeFreezePlan;
  };

  /**
   * Starts a program to converse with, on a terminal or on pipes, and answers as soon as it runs.
   *
   * Since concierge 0.1. Refused while frozen.
   */
  readonly '__org.concierge_exec-start': {
    readonly arguments: {
      /** The program; a name without a separator is looked for in PATH. */
      readonly path: string;
      /** Its arguments. */
      readonly arg?: readonly string[];
      /** Changes to its environment, which is the agent's: `NAME=VALUE` adds or replaces, `NAME` alone removes. */
      readonly env?: readonly string[];
      /** Where it starts, entered with the user's rights; the agent's own where absent. */
      readonly 'working-directory'?: string;
      /**
       * Name of the user that it runs as: uid, gid and groups of that user, and HOME, USER, LOGNAME and SHELL. No password is asked, and no
       * session of PAM is opened.
       */
      readonly user?: string;
      /** Names of supplementary groups, instead of the user's own. */
      readonly groups?: readonly string[];
      /** `none` (default): nothing to read; `open`: what exec-exchange brings. */
      readonly stdin?: ExecStdin;
      /** `separated` (default): standard error by itself; `merged`: as a part of standard output, in the order of writing. */
      readonly output?: ExecOutput;
      /** It gets a terminal of this size as its controlling one; output is merged then, and input open. */
      readonly terminal?: ExecTerminalInput;
      /** It is ended when it has run for so long: SIGTERM, and SIGKILL 5 seconds later. */
      readonly 'time-limit-ms'?: bigint | number;
      /**
       * It is hung up, SIGHUP first and SIGKILL 5 seconds later, when no exec-exchange has been made for so long: for hosts whose
       * connection is not their own, and that may be killed.
       */
      readonly 'unattended-limit-ms'?: bigint | number;
      /**
       * `wait` (default): a program that writes faster than hosts read has to wait; `latest`: it goes on, and the last `keep-bytes` are
       * kept.
       */
      readonly keep?: ExecKeep;
      /** With `latest`: bytes of each stream, from 1 to 1048576; default 65536. */
      readonly 'keep-bytes'?: bigint | number;
      /**
       * `detached` (default): it goes on when its host leaves; `connection`: it is hung up then, SIGHUP first and SIGKILL 5 seconds later.
       */
      readonly lifetime?: ExecLifetime;
    };
    readonly result: ExecStart;
  };

  /**
   * Brings a program input and fetches what it has written; waits a while where there is nothing yet.
   *
   * Since concierge 0.1. Refused while frozen.
   */
  readonly '__org.concierge_exec-exchange': {
    readonly arguments: {
      /** The program, as exec-start has named it. */
      readonly program: bigint | number;
      /** What it is to read, in base64; at most 1 MiB. */
      readonly input?: string;
      /**
       * Offset of the first byte of `input`, or of the end of input. What the program has been given already is passed over, so that a
       * repeat is harmless. Where absent, `input` follows what was accepted last.
       */
      readonly 'input-offset'?: bigint | number;
      /** Nothing comes behind `input`. On a terminal: as if its end-of-file character were typed. */
      readonly 'end-of-input'?: boolean;
      /**
       * Answers output from here on, and everything before is forgotten. Where absent: from the oldest byte that is kept, and nothing is
       * forgotten.
       */
      readonly 'output-offset'?: bigint | number;
      /** The same of standard error. */
      readonly 'errors-offset'?: bigint | number;
      /**
       * How long it may wait for something new, from 0 to 10000; default 200. Anything else that the host sends on this connection ends the
       * wait.
       */
      readonly 'wait-ms'?: bigint | number;
      /** `news` (default): output, an end, anything that no host was told of; `input`: it is enough that `input` was wholly accepted. */
      readonly 'wait-for'?: ExecWaitFor;
      /** Most bytes of each stream in the answer, from 1 to 1048576; default 65536. */
      readonly size?: bigint | number;
    };
    readonly result: ExecExchange;
  };

  /**
   * Sends a signal to a running program.
   *
   * Since concierge 0.1. Refused while frozen.
   */
  readonly '__org.concierge_exec-signal': {
    readonly arguments: {
      /** The program, as exec-start has named it. */
      readonly program: bigint | number;
      /** Its name without `SIG`, or its number in the guest, from 1 to 64. */
      readonly signal: bigint | number | ExecSignalName;
      /** To its whole process group, and on a terminal to the one in the foreground. */
      readonly group?: boolean;
    };
    readonly result: void;
  };

  /**
   * Gives a program's terminal another size.
   *
   * Since concierge 0.1. Refused while frozen.
   */
  readonly '__org.concierge_exec-resize': {
    readonly arguments: {
      /** The program, as exec-start has named it. */
      readonly program: bigint | number;
      /** Lines, from 1 to 10000. */
      readonly rows: bigint | number;
      /** Characters of a line, from 1 to 10000. */
      readonly columns: bigint | number;
    };
    readonly result: void;
  };

  /**
   * Lists the programs that exec-start has started, running ones and what is left of ended ones.
   *
   * Answers: In the order of their starts.
   *
   * Since concierge 0.1. Refused while frozen.
   */
  readonly '__org.concierge_exec-list': {
    readonly arguments: NoArguments;
    readonly result: readonly ExecProgram[];
  };

  /**
   * Forgets what is left of a program that has ended.
   *
   * Since concierge 0.1. Refused while frozen.
   */
  readonly '__org.concierge_exec-forget': {
    readonly arguments: {
      /** The program, as exec-start has named it. */
      readonly program: bigint | number;
    };
    readonly result: void;
  };

  /**
   * Tells what the guest did when it was restored or copied: how far its clock was off and what became of that, and what the hooks of
   * `generation-directory` said.
   *
   * Since concierge 0.1. Answered while frozen.
   */
  readonly '__org.concierge_generation': {
    readonly arguments: NoArguments;
    readonly result: ConciergeGenerationReport;
  };
}

export interface GuestAgentInfo {
  /** The release of the agent. */
  readonly version: string;
  /** Every command of this guest, the newest first. */
  readonly supported_commands: readonly GuestAgentCommandInfo[];
}

export interface GuestAgentCommandInfo {
  /** The command. */
  readonly name: string;
  /** Whether it may be called at this moment: neither policy nor a freeze forbids it. */
  readonly enabled: boolean;
  /** Whether there is an answer when it succeeds. */
  readonly 'success-response': boolean;
}

export interface GuestFileRead {
  /** How many bytes were read (before the encoding). */
  readonly count: bigint;
  /** The bytes in base64. */
  readonly 'buf-b64': string;
  /** Whether the end of the file was met while reading. */
  readonly eof: boolean;
}

export interface GuestFileWrite {
  /** How many bytes were written (after the decoding). */
  readonly count: bigint;
  /** Always false. */
  readonly eof: boolean;
}

export type QGASeek = 'set' | 'cur' | 'end';

export interface GuestFileSeek {
  /** Where it is now, in bytes from the start of the file. */
  readonly position: bigint;
  /** Always false. */
  readonly eof: boolean;
}

export type GuestFsfreezeStatus = 'thawed' | 'frozen';

export interface GuestFilesystemTrimResponse {
  /** One entry for each file system; the one mounted last comes first. */
  readonly paths: readonly GuestFilesystemTrimResult[];
}

export interface GuestFilesystemTrimResult {
  /** Where the file system is mounted. */
  readonly path: string;
  /** Bytes discarded. */
  readonly trimmed?: bigint;
  /** The smallest free range that was considered, as the kernel rounded it. */
  readonly minimum?: bigint;
  /** Why it could not be trimmed; the two others are absent then. */
  readonly error?: string;
}

export interface GuestNetworkInterface {
  /** Name of the interface. */
  readonly name: string;
  /** Six bytes in lower-case hexadecimal with colons. */
  readonly 'hardware-address'?: string;
  /** Its addresses; absent where it has none. */
  readonly 'ip-addresses'?: readonly GuestIpAddress[];
  /** Counters since it came up. */
  readonly statistics?: GuestNetworkInterfaceStat;
}

export interface GuestIpAddress {
  /** The address as text. */
  readonly 'ip-address': string;
  /** Its family. */
  readonly 'ip-address-type': GuestIpAddressType;
  /** Length of the network prefix in bits. */
  readonly prefix: bigint;
}

export type GuestIpAddressType = 'ipv4' | 'ipv6';

export interface GuestNetworkInterfaceStat {
  /** Bytes received. */
  readonly 'rx-bytes': bigint;
  /** Packets received. */
  readonly 'rx-packets': bigint;
  /** Bad packets received. */
  readonly 'rx-errs': bigint;
  /** Received packets that were dropped. */
  readonly 'rx-dropped': bigint;
  /** Bytes sent. */
  readonly 'tx-bytes': bigint;
  /** Packets sent. */
  readonly 'tx-packets': bigint;
  /** Packets that could not be sent. */
  readonly 'tx-errs': bigint;
  /** Packets that were dropped before sending. */
  readonly 'tx-dropped': bigint;
}

export interface GuestLogicalProcessor {
  /** The guest's own number of the processor. */
  readonly 'logical-id': bigint;
  /** Whether it runs. */
  readonly online: boolean;
  /** Whether it can be taken off line. Always there in answers, passed over in arguments. */
  readonly 'can-offline'?: boolean;
}

export interface GuestLogicalProcessorInput {
  /** The guest's own number of the processor. */
  readonly 'logical-id': bigint | number;
  /** Whether it runs. */
  readonly online: boolean;
  /** Whether it can be taken off line. Always there in answers, passed over in arguments. */
  readonly 'can-offline'?: boolean;
}

export interface GuestDiskInfo {
  /** Device node (POSIX) or device name (Windows). */
  readonly name: string;
  /** Whether it is a partition. */
  readonly partition: boolean;
  /** Devices that it lies on: the disk of a partition, the members of a RAID. */
  readonly dependencies?: readonly string[];
  /** Where its hardware is. */
  readonly address?: GuestDiskAddress;
  /** Name in the device mapper. */
  readonly alias?: string;
  /** What the disk says of its health. */
  readonly smart?: GuestDiskSmart;
}

export interface GuestDiskAddress {
  /** Address of the controller; all −1 where it is not a known PCI device. */
  readonly 'pci-controller': GuestPCIAddress;
  /** How the disk is attached. */
  readonly 'bus-type': GuestDiskBusType;
  /** Bus or channel. */
  readonly bus: bigint;
  /** Target. */
  readonly target: bigint;
  /** Unit or LUN. */
  readonly unit: bigint;
  /** Serial number. */
  readonly serial?: string;
  /** Device node (POSIX) or device name (Windows). */
  readonly dev?: string;
  /** Channel address on s390. */
  readonly 'ccw-address'?: GuestCCWAddress;
}

export interface GuestPCIAddress {
  /** PCI domain. */
  readonly domain: bigint;
  /** Bus. */
  readonly bus: bigint;
  /** Slot. */
  readonly slot: bigint;
  /** Function. */
  readonly function: bigint;
}

export type GuestDiskBusType = 'ide' | 'fdc' | 'scsi' | 'virtio' | 'xen' | 'usb' | 'uml' | 'sata' | 'sd' | 'unknown' | 'ieee1394' | 'ssa' | 'fibre' | 'raid' | 'iscsi' | 'sas' | 'mmc' | 'virtual' | 'file-backed-virtual' | 'nvme';

export interface GuestCCWAddress {
  /** Channel subsystem image. */
  readonly cssid: bigint;
  /** Subchannel set. */
  readonly ssid: bigint;
  /** Subchannel number. */
  readonly subchno: bigint;
  /** Device number. */
  readonly devno: bigint;
}

export interface GuestDiskSmart {
  /** Which members follow. */
  readonly type: 'nvme';
  /** Bits of warnings. */
  readonly 'critical-warning': bigint;
  /** Temperature in kelvin. */
  readonly temperature: bigint;
  /** Spare capacity left, in percent. */
  readonly 'available-spare': bigint;
  /** Below this many percent of spare capacity the disk warns. */
  readonly 'available-spare-threshold': bigint;
  /** Share of its life that is used, in percent; may exceed 100. */
  readonly 'percentage-used': bigint;
  /** Units of 512 000 bytes read: the lower 64 bits. */
  readonly 'data-units-read-lo': bigint;
  /** Units of 512 000 bytes read: the upper 64 bits. */
  readonly 'data-units-read-hi': bigint;
  /** Units of 512 000 bytes written: the lower 64 bits. */
  readonly 'data-units-written-lo': bigint;
  /** Units of 512 000 bytes written: the upper 64 bits. */
  readonly 'data-units-written-hi': bigint;
  /** Read commands: the lower 64 bits. */
  readonly 'host-read-commands-lo': bigint;
  /** Read commands: the upper 64 bits. */
  readonly 'host-read-commands-hi': bigint;
  /** Write commands: the lower 64 bits. */
  readonly 'host-write-commands-lo': bigint;
  /** Write commands: the upper 64 bits. */
  readonly 'host-write-commands-hi': bigint;
  /** Minutes in which the controller was busy: the lower 64 bits. */
  readonly 'controller-busy-time-lo': bigint;
  /** Minutes in which the controller was busy: the upper 64 bits. */
  readonly 'controller-busy-time-hi': bigint;
  /** Times powered on: the lower 64 bits. */
  readonly 'power-cycles-lo': bigint;
  /** Times powered on: the upper 64 bits. */
  readonly 'power-cycles-hi': bigint;
  /** Hours powered on: the lower 64 bits. */
  readonly 'power-on-hours-lo': bigint;
  /** Hours powered on: the upper 64 bits. */
  readonly 'power-on-hours-hi': bigint;
  /** Times that power was lost without notice: the lower 64 bits. */
  readonly 'unsafe-shutdowns-lo': bigint;
  /** Times that power was lost without notice: the upper 64 bits. */
  readonly 'unsafe-shutdowns-hi': bigint;
  /** Data that could not be read back: the lower 64 bits. */
  readonly 'media-errors-lo': bigint;
  /** Data that could not be read back: the upper 64 bits. */
  readonly 'media-errors-hi': bigint;
  /** Entries in the error log over its life: the lower 64 bits. */
  readonly 'number-of-error-log-entries-lo': bigint;
  /** Entries in the error log over its life: the upper 64 bits. */
  readonly 'number-of-error-log-entries-hi': bigint;
}

export interface GuestFilesystemInfo {
  /** Device (`vda1`, `dm-0`), or the volume on Windows. */
  readonly name: string;
  /** Where it is mounted. */
  readonly mountpoint: string;
  /** Type of the file system. */
  readonly type: string;
  /** Bytes in use. */
  readonly 'used-bytes'?: bigint;
  /** Bytes that an ordinary user could use in all. */
  readonly 'total-bytes'?: bigint;
  /** Bytes in all, those reserved for root included. */
  readonly 'total-bytes-privileged'?: bigint;
  /** The disks on which it lies. */
  readonly disk: readonly GuestDiskAddress[];
}

export interface GuestMemoryBlock {
  /** The guest's own number of the block. */
  readonly 'phys-index': bigint;
  /** Whether it is in use. */
  readonly online: boolean;
  /** Whether it can be taken off line. Always there in answers, passed over in arguments. */
  readonly 'can-offline'?: boolean;
}

export interface GuestMemoryBlockInput {
  /** The guest's own number of the block. */
  readonly 'phys-index': bigint | number;
  /** Whether it is in use. */
  readonly online: boolean;
  /** Whether it can be taken off line. Always there in answers, passed over in arguments. */
  readonly 'can-offline'?: boolean;
}

export interface GuestMemoryBlockResponse {
  /** Number of the block, as given. */
  readonly 'phys-index': bigint;
  /** What came of it. */
  readonly response: GuestMemoryBlockResponseType;
  /** errno of the failure. */
  readonly 'error-code'?: bigint;
}

export type GuestMemoryBlockResponseType = 'success' | 'not-found' | 'operation-not-supported' | 'operation-failed';

export interface GuestMemoryBlockInfo {
  /** Size of one block in bytes. */
  readonly size: bigint;
}

export interface GuestExecStatus {
  /** Whether it has ended. The other members are there only then. */
  readonly exited: boolean;
  /** Its exit status, where it ended by itself. Neither this nor `signal`: nobody can tell how it ended. */
  readonly exitcode?: bigint;
  /** The signal that ended it, or on Windows the exception code. */
  readonly signal?: bigint;
  /** What it wrote to standard output, in base64; absent where that is nothing. */
  readonly 'out-data'?: string;
  /** What it wrote to standard error, in base64; absent where that is nothing. */
  readonly 'err-data'?: string;
  /** Beside `out-data`: whether it wrote more than is kept (16 MiB). */
  readonly 'out-truncated'?: boolean;
  /** Beside `err-data`: the same. */
  readonly 'err-truncated'?: boolean;
}

export type GuestExecCaptureOutputMode = 'none' | 'stdout' | 'stderr' | 'separated' | 'merged';

export interface GuestExec {
  /** Process number, to ask guest-exec-status with. */
  readonly pid: bigint;
}

export interface GuestHostName {
  /** The host name, not necessarily with its domain. */
  readonly 'host-name': string;
}

export interface GuestUser {
  /** Name of the user. */
  readonly user: string;
  /** When the first of the current sessions began, in seconds since 1970-01-01 UTC. */
  readonly 'login-time': number;
  /** Logon domain (Windows). */
  readonly domain?: string;
}

export interface GuestTimezone {
  /** Abbreviation of the time zone, as in force now. */
  readonly zone?: string;
  /** Seconds east of UTC now, daylight saving included. */
  readonly offset: bigint;
}

export interface GuestOSInfo {
  /** Release of the kernel (POSIX), build number (Windows). */
  readonly 'kernel-release'?: string;
  /** Version of the kernel. */
  readonly 'kernel-version'?: string;
  /** Architecture. */
  readonly machine?: string;
  /** `ID` of os-release(5); `mswindows` on Windows. */
  readonly id?: string;
  /** `NAME`; `Microsoft Windows` on Windows. */
  readonly name?: string;
  /** `PRETTY_NAME`; the product name on Windows. */
  readonly 'pretty-name'?: string;
  /** `VERSION`. */
  readonly version?: string;
  /** `VERSION_ID`. */
  readonly 'version-id'?: string;
  /** `VARIANT`; `client` or `server` on Windows. */
  readonly variant?: string;
  /** `VARIANT_ID`; `client` or `server` on Windows. */
  readonly 'variant-id'?: string;
}

export interface GuestDeviceInfo {
  /** What the driver calls the device. */
  readonly 'driver-name': string;
  /** When the driver was made, in nanoseconds since 1970-01-01 UTC. */
  readonly 'driver-date'?: bigint;
  /** Version of the driver. */
  readonly 'driver-version'?: string;
  /** Identity of the device. */
  readonly id?: GuestDeviceId;
}

export interface GuestDeviceId {
  /** Which members follow. */
  readonly type: 'pci';
  /** PCI vendor. */
  readonly 'vendor-id': bigint;
  /** PCI device. */
  readonly 'device-id': bigint;
}

export interface GuestAuthorizedKeys {
  /** Lines of the file that are neither empty nor comments; the last line comes first. */
  readonly keys: readonly string[];
}

export interface GuestDiskStatsInfo {
  /** Name of the device in the kernel. */
  readonly name: string;
  /** Major number. */
  readonly major: bigint;
  /** Minor number. */
  readonly minor: bigint;
  /** Counters since boot. */
  readonly stats: GuestDiskStats;
}

export interface GuestDiskStats {
  /** Sectors of 512 bytes read. */
  readonly 'read-sectors'?: bigint;
  /** Reads completed. */
  readonly 'read-ios'?: bigint;
  /** Reads merged. */
  readonly 'read-merges'?: bigint;
  /** Sectors written. */
  readonly 'write-sectors'?: bigint;
  /** Writes completed. */
  readonly 'write-ios'?: bigint;
  /** Writes merged. */
  readonly 'write-merges'?: bigint;
  /** Sectors discarded. */
  readonly 'discard-sectors'?: bigint;
  /** Discards completed. */
  readonly 'discard-ios'?: bigint;
  /** Discards merged. */
  readonly 'discard-merges'?: bigint;
  /** Flushes completed. */
  readonly 'flush-ios'?: bigint;
  /** Milliseconds spent reading. */
  readonly 'read-ticks'?: bigint;
  /** Milliseconds spent writing. */
  readonly 'write-ticks'?: bigint;
  /** Milliseconds spent discarding. */
  readonly 'discard-ticks'?: bigint;
  /** Milliseconds spent flushing. */
  readonly 'flush-ticks'?: bigint;
  /** Operations in progress. */
  readonly 'ios-pgr'?: bigint;
  /** Milliseconds in which the device was busy. */
  readonly 'total-ticks'?: bigint;
  /** Milliseconds of all operations together. */
  readonly 'weight-ticks'?: bigint;
}

export interface GuestCpuStats {
  /** Which counters follow. */
  readonly type: 'linux';
  /** Number of the processor. */
  readonly cpu: bigint;
  /** In user mode. All times are milliseconds since boot. */
  readonly user: bigint;
  /** In user mode with low priority. */
  readonly nice: bigint;
  /** In the kernel. */
  readonly system: bigint;
  /** Doing nothing. */
  readonly idle: bigint;
  /** Doing nothing while input or output was awaited. */
  readonly iowait?: bigint;
  /** Serving interrupts. */
  readonly irq?: bigint;
  /** Serving soft interrupts. */
  readonly softirq?: bigint;
  /** Ready to run while the host ran something else. */
  readonly steal?: bigint;
  /** Running a guest of its own. */
  readonly guest?: bigint;
  /** Running a guest of its own with low priority. */
  readonly guestnice?: bigint;
}

export interface GuestLoadAverage {
  /** Over one minute. */
  readonly load1m: number;
  /** Over five minutes. */
  readonly load5m: number;
  /** Over fifteen minutes. */
  readonly load15m: number;
}

export interface GuestNetworkRoute {
  /** The interface that it leads to. */
  readonly iface: string;
  /** Network or host that it leads to. */
  readonly destination: string;
  /** Its cost. */
  readonly metric: bigint;
  /** IPv4: the next router. */
  readonly gateway?: string;
  /** IPv4: mask of the destination, dotted. */
  readonly mask?: string;
  /** IPv4: initial round-trip time. */
  readonly irtt?: bigint;
  /** Flags of the kernel (`RTF_…`). */
  readonly flags?: bigint;
  /** How often it is referred to. */
  readonly refcnt?: bigint;
  /** How often it was looked up. */
  readonly use?: bigint;
  /** IPv4: window size for TCP. */
  readonly window?: bigint;
  /** IPv4: largest packet. */
  readonly mtu?: bigint;
  /** IPv6: prefix length of the destination, a decimal number as text. */
  readonly desprefixlen?: string;
  /** IPv6: network that it is for. */
  readonly source?: string;
  /** IPv6: prefix length of the source, a decimal number as text. */
  readonly srcprefixlen?: string;
  /** IPv6: the next router. */
  readonly nexthop?: string;
  /** IP version: 4 or 6. */
  readonly version: bigint;
}

export interface GuestDriverPackageInfo {
  /** What the system calls the package: `oem3.inf`. */
  readonly name: string;
  /** What its maker called it: `netkvm.inf`. */
  readonly 'original-name'?: string;
  /** Version of the driver. */
  readonly version: string;
  /** Who provides it. */
  readonly vendor?: string;
}

export interface GuestDriverServiceInfo {
  /** Name of the service. */
  readonly name: string;
  /** Where the file of the driver lies. */
  readonly 'driver-path'?: string;
  /** Version of the file. */
  readonly version?: string;
  /** Who made the file. */
  readonly vendor?: string;
  /** State of the service. */
  readonly status: GuestDriverServiceStatus;
}

export type GuestDriverServiceStatus = 'stopped' | 'start-pending' | 'stop-pending' | 'running' | 'continue-pending' | 'pause-pending' | 'paused' | 'unknown';

export interface ConciergeFreezeReport {
  /** How it is now. */
  readonly status: GuestFsfreezeStatus;
  /** When the freeze was asked for, in nanoseconds since 1970-01-01 UTC; absent: there was none. */
  readonly 'started-at'?: bigint;
  /** While it is on: when it ends by itself, at the latest (`freeze-timeout`); absent: never. */
  readonly 'deadline-at'?: bigint;
  /** When it ended. */
  readonly 'ended-at'?: bigint;
  /** What ended it: `thaw`, `failure`, `nothing-frozen`, `deadline`, `holder-lost`, `system-limit`, `elsewhere` (somebody in the guest). */
  readonly 'ended-by'?: 'thaw' | 'failure' | 'nothing-frozen' | 'deadline' | 'holder-lost' | 'system-limit' | 'elsewhere';
  /** The same as a sentence. */
  readonly detail?: string;
  /** Those that were to be frozen, in the order of freezing. */
  readonly filesystems: readonly ConciergeFrozenFilesystem[];
  /** Those that were not, and why. */
  readonly 'left-out': readonly ConciergeLeftOutFilesystem[];
  /** What the hooks did, in the order of running. */
  readonly hooks: readonly ConciergeHookResult[];
  /** What went wrong beside it, as with an application whose data lies on nothing that was frozen. */
  readonly warnings?: readonly string[];
}

export interface ConciergeFrozenFilesystem {
  /** Where it is mounted. */
  readonly mountpoint: string;
  /** What came of freezing it. */
  readonly result: ConciergeFreezeResult;
  /** Why freezing failed. */
  readonly error?: string;
  /** How long it took to write back what was dirty, in nanoseconds. */
  readonly 'flush-ns'?: bigint;
  /** How long the freeze itself took, in nanoseconds. */
  readonly 'freeze-ns'?: bigint;
  /** When it was frozen, in nanoseconds since 1970-01-01 UTC. */
  readonly 'frozen-at'?: bigint;
  /** When it was thawed. */
  readonly 'thawed-at'?: bigint;
  /** Why thawing failed. */
  readonly 'thaw-error'?: string;
}

export type ConciergeFreezeResult = 'frozen' | 'unsupported' | 'busy' | 'failed';

export interface ConciergeLeftOutFilesystem {
  /** Where it is mounted. */
  readonly mountpoint: string;
  /** The rule in one word: `read-only`, `network`, `fuse`, `overlay`, `pseudo` and so on. */
  readonly reason: string;
  /** The same as a sentence. */
  readonly detail: string;
}

export interface ConciergeHookResult {
  /** The hook. */
  readonly name: string;
  /** What it was called for. */
  readonly phase: ConciergeHookPhase;
  /** Whether it succeeded. */
  readonly ok: boolean;
  /** Why not. */
  readonly error?: string;
  /** What it printed, cut at the limit. */
  readonly output: string;
  /** How long it ran, in nanoseconds. */
  readonly 'duration-ns': bigint;
}

export type ConciergeHookPhase = 'freeze' | 'freezefail' | 'thaw';

export interface ConciergeFreezePlan {
  /** Those that would be frozen, in the order of freezing. */
  readonly filesystems: readonly ConciergePlannedFilesystem[];
  /** Those that would not, and why. */
  readonly 'left-out': readonly ConciergePlannedOmission[];
  /** Mount points of the request at which nothing is mounted. */
  readonly unmatched: readonly string[];
  /** Mount points of the request whose file system other mounts cover: a freeze that names one fails. */
  readonly covered: readonly string[];
  /** Mount points of `fsfreeze-exclude` at which nothing is mounted. */
  readonly 'idle-exclusions': readonly string[];
  /** Where a ring of file systems that rest on each other would be cut open. */
  readonly 'cut-cycles': readonly string[];
  /** Hooks, in the order in which they would run before the freeze. */
  readonly hooks: readonly ConciergePlannedHook[];
}

export interface ConciergePlannedFilesystem {
  /** Where it is mounted. */
  readonly mountpoint: string;
  /** Its other mount points. */
  readonly 'also-mounted-at': readonly string[];
  /** Its type, as in /proc/self/mountinfo. */
  readonly type: string;
  /** What is mounted there. */
  readonly source: string;
  /** File systems of one level are frozen side by side, level 1 first. */
  readonly level: bigint;
  /** Bytes that have to be written back first, where the system tells. */
  readonly 'dirty-bytes'?: bigint;
  /** How long that is likely to take, in milliseconds. */
  readonly 'flush-estimate-ms'?: bigint;
}

export interface ConciergePlannedOmission {
  /** Where it is mounted. */
  readonly mountpoint: string;
  /** Its type. */
  readonly type: string;
  /** The rule in one word: `read-only`, `network`, `fuse`, `overlay`, `pseudo`, `excluded` and so on. */
  readonly reason: string;
  /** The same as a sentence. */
  readonly detail: string;
}

export interface ConciergePlannedHook {
  /** The hook. */
  readonly name: string;
  /** Why it will not run. */
  readonly refused?: string;
}

export type ExecStdin = 'none' | 'open';

export type ExecOutput = 'separated' | 'merged';

export interface ExecTerminalInput {
  /** Lines, from 1 to 10000. */
  readonly rows: bigint | number;
  /** Characters of a line, from 1 to 10000. */
  readonly columns: bigint | number;
  /** Its kind, for the variable TERM; default `xterm-256color`. */
  readonly term?: string;
}

export type ExecKeep = 'wait' | 'latest';

export type ExecLifetime = 'detached' | 'connection';

export interface ExecStart {
  /** Its number in the other commands; never given out twice. */
  readonly program: bigint;
  /** Its process number in the guest. */
  readonly pid: bigint;
}

export type ExecWaitFor = 'news' | 'input';

export interface ExecExchange {
  /** Bytes of input that the program has been given since its start: the next `input-offset`. */
  readonly 'input-accepted': bigint;
  /** Whether it is given no more: its end was asked for, or the program reads no more; what comes then is passed over. */
  readonly 'input-ended': boolean;
  /** What it wrote to standard output from `output-offset` on, in base64; absent where that is nothing. */
  readonly output?: string;
  /** Offset of the first byte of `output`. */
  readonly 'output-offset': bigint;
  /** Bytes before `output-offset` that were asked for and are not kept any more (`latest`). */
  readonly 'output-lost'?: bigint;
  /** Whether nothing comes behind this `output`. */
  readonly 'output-ended': boolean;
  /** The same of standard error. */
  readonly errors?: string;
  /** The same of standard error. */
  readonly 'errors-offset': bigint;
  /** The same of standard error. */
  readonly 'errors-lost'?: bigint;
  /** The same of standard error. */
  readonly 'errors-ended': boolean;
  /** Whether the program has ended. What others that it has started write may still come. */
  readonly exited: boolean;
  /** Its exit status, where it has ended by itself. */
  readonly exitcode?: bigint;
  /** The signal that ended it. */
  readonly signal?: bigint;
  /** True where `time-limit-ms` was over before it ended. */
  readonly 'timed-out'?: boolean;
}

export type ExecSignalName = 'HUP' | 'INT' | 'QUIT' | 'ILL' | 'TRAP' | 'ABRT' | 'BUS' | 'FPE' | 'KILL' | 'USR1' | 'SEGV' | 'USR2' | 'PIPE' | 'ALRM' | 'TERM' | 'CHLD' | 'CONT' | 'STOP' | 'TSTP' | 'TTIN' | 'TTOU' | 'URG' | 'XCPU' | 'XFSZ' | 'VTALRM' | 'PROF' | 'WINCH' | 'IO' | 'PWR' | 'SYS';

export interface ExecProgram {
  /** Its number. */
  readonly program: bigint;
  /** Its process number in the guest; of an ended one another process may have it by now. */
  readonly pid: bigint;
  /** As given to exec-start. Arguments may hold passwords, and are not told. */
  readonly path: string;
  /** The user that it was started as, where one was named. */
  readonly user?: string;
  /** The size of its terminal, where it has one. */
  readonly terminal?: ExecTerminalSize;
  /** As given to exec-start. */
  readonly keep: ExecKeep;
  /** As given to exec-start. */
  readonly lifetime: ExecLifetime;
  /** When, in nanoseconds since 1970-01-01 UTC by the clock of the guest. */
  readonly started: bigint;
  /** As in exec-exchange. */
  readonly 'input-accepted': bigint;
  /** The oldest byte of output that is kept. */
  readonly 'output-offset': bigint;
  /** The same of standard error. */
  readonly 'errors-offset': bigint;
  /** Whether the program has ended. What others that it has started write may still come. */
  readonly exited: boolean;
  /** Its exit status, where it has ended by itself. */
  readonly exitcode?: bigint;
  /** The signal that ended it. */
  readonly signal?: bigint;
  /** True where `time-limit-ms` was over before it ended. */
  readonly 'timed-out'?: boolean;
}

export interface ExecTerminalSize {
  /** Lines, from 1 to 10000. */
  readonly rows: bigint;
  /** Characters of a line, from 1 to 10000. */
  readonly columns: bigint;
}

export interface ConciergeGenerationReport {
  /** How often the hypervisor has said that this guest goes on as another one, since the agent came to be. */
  readonly number: bigint;
  /** When it was said last, by the clock as it was then; absent: never. */
  readonly 'changed-at'?: bigint;
  /** The last look at the wall clock. */
  readonly clock?: ConciergeClockCheck;
  /** Connections to hosts that were there before and are gone. */
  readonly 'connections-dropped'?: bigint;
  /** What the hooks of the last generation did, in the order of running. */
  readonly hooks: readonly ConciergeGenerationHookResult[];
  /** Whether more is to come. */
  readonly 'hooks-under-way': boolean;
  /** Why hooks were not even looked for. */
  readonly error?: string;
}

export interface ConciergeClockCheck {
  /**
   * `right`: off by no more than the limit. `left`: it is never stepped here (`clock-step-limit` 0). `refused`: off by years, which no
   * source is believed.
   */
  readonly result: ConciergeClockResult;
  /** Why it was looked at: another generation, a host that came, a request after a pause, or clocks that the hypervisor calls disturbed. */
  readonly occasion: ConciergeClockOccasion;
  /** When, in nanoseconds since 1970-01-01 UTC, by the clock as it was afterwards. */
  readonly 'checked-at': bigint;
  /** The clock that it was compared with. */
  readonly source?: string;
  /** By how many nanoseconds the wall clock was behind; negative: ahead. */
  readonly 'off-by'?: bigint;
  /** What went wrong, as a sentence. */
  readonly detail?: string;
}

export type ConciergeClockResult = 'right' | 'stepped' | 'left' | 'refused' | 'failed' | 'unknown';

export type ConciergeClockOccasion = 'generation' | 'host' | 'request' | 'disruption';

export interface ConciergeGenerationHookResult {
  /** The hook. */
  readonly name: string;
  /** Whether it succeeded. */
  readonly ok: boolean;
  /** Why not. */
  readonly error?: string;
  /** What it printed, cut at the limit. */
  readonly output: string;
  /** How long it ran, in nanoseconds. */
  readonly 'duration-ns': bigint;
}
