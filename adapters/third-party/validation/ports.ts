// SPDX-License-Identifier: Apache-2.0
import type { CapabilityGroup } from '../../../core/ports/capabilities.ts';
import { count, failure, finite, flag, int64, listOf, nothing, oneOf, orUndefined, record, text, uint128, uint64, whole, withMethods, type Check } from './shape.ts';

/** What a method answers; `objects`: ports of their own that it hands out. */
export interface MethodContract {
  readonly answer: Check;
  readonly objects?: Readonly<Record<string, MethodContract>>;
  /** A group is whole without it. */
  readonly optional?: true;
  /** Members of what is handed out that are promises, and what these come to. */
  readonly promises?: Readonly<Record<string, Check>>;
}

const answers = (answer: Check): MethodContract => ({ answer });
const list = (element: Check): MethodContract => ({ answer: listOf(element) });

const pci = record({ domain: whole, bus: whole, slot: whole, function: whole });
const diskAddress = record(
  {
    pciController: pci,
    busType: oneOf('ide', 'fdc', 'scsi', 'virtio', 'xen', 'usb', 'uml', 'sata', 'sd', 'unknown', 'ieee1394', 'ssa', 'fibre', 'raid', 'iscsi', 'sas', 'mmc', 'virtual', 'file-backed-virtual', 'nvme'),
    bus: whole, target: whole, unit: whole,
  },
  { serial: text, dev: text, ccwAddress: record({ cssid: count, ssid: count, subchno: count, devno: count }) },
);
const smart = record({
  criticalWarning: count, temperature: count, availableSpare: count, availableSpareThreshold: count, percentageUsed: count,
  ...Object.fromEntries([
    'dataUnitsRead', 'dataUnitsWritten', 'hostReadCommands', 'hostWriteCommands', 'controllerBusyTime', 'powerCycles', 'powerOnHours',
    'unsafeShutdowns', 'mediaErrors', 'numberOfErrorLogEntries',
  ].map((name) => [name, uint128])),
});
const counters = record({}, Object.fromEntries([
  'readIos', 'readMerges', 'readSectors', 'readTicks', 'writeIos', 'writeMerges', 'writeSectors', 'writeTicks', 'iosInProgress', 'totalTicks',
  'weightTicks', 'discardIos', 'discardMerges', 'discardSectors', 'discardTicks', 'flushIos', 'flushTicks',
].map((name) => [name, uint64])));
const traffic = record(Object.fromEntries(
  ['rxBytes', 'rxPackets', 'rxErrors', 'rxDropped', 'txBytes', 'txPackets', 'txErrors', 'txDropped'].map((name) => [name, uint64]),
));

const routeOf: Readonly<Record<number, Check>> = {
  4: record({
    version: whole, interface: text, destination: text, gateway: text, mask: text,
    metric: count,
  }, { flags: count, references: count, use: count, mtu: count, window: count, irtt: count }),
  6: record({
    version: whole, interface: text, destination: text, destinationPrefix: count, source: text, sourcePrefix: count, nextHop: text,
    metric: count,
  }, { flags: count, references: count, use: count }),
};
const route: Check = (value, where) => {
  const version: unknown = typeof value === 'object' && value !== null ? Reflect.get(value, 'version') : undefined;
  const check = version === 4 || version === 6 ? routeOf[version] : undefined;
  return check === undefined ? `${where}.version should be 4 or 6` : check(value, where);
};

const findings = listOf(record({ subject: text, verdict: oneOf('good', 'warning', 'bad', 'by-hand'), detail: text }, { remedy: text }));

const thawed = listOf(record({ id: text, mountPoint: text, thawed: flag }, { error: text, leftOut: text, thawedAt: int64 }));
const session: MethodContract = {
  answer: withMethods('flush', 'freeze', 'thaw'),
  objects: {
    flush: answers(nothing),
    freeze: list(record(
      { id: text, mountPoint: text, result: oneOf('frozen', 'unsupported', 'busy', 'failed') },
      { error: text, frozenAt: int64, flushNs: int64, freezeNs: int64 },
    )),
    thaw: answers(thawed),
  },
  promises: {
    ended: record({ reason: oneOf('deadline', 'holder-lost', 'system-limit', 'elsewhere'), detail: text, at: int64, thawed }),
  },
};

const runningProcess: Check = (value, where) =>
  withMethods('onOutput', 'kill')(value, where) ?? count(Reflect.get(value as object, 'pid'), `${where}.pid`);

const processEnd: Check = (value, where) => {
  const signalled = typeof value === 'object' && value !== null && 'signal' in value;
  return (signalled ? record({ signal: whole }) : record({ exitCode: whole }))(value, where);
};

const programMethods = ['read', 'write', 'endInput', 'onReady', 'signal', 'kill', 'release'] as const;
const interactiveProgram: MethodContract = {
  answer: (value, where) => withMethods(...programMethods)(value, where) ?? count(Reflect.get(value as object, 'pid'), `${where}.pid`),
  objects: {
    read: answers(orUndefined(count)), write: answers(orUndefined(count)), endInput: answers(nothing), onReady: answers(nothing), signal: answers(nothing),
    kill: answers(nothing), release: answers(nothing),
  },
  promises: { finished: processEnd },
};

const transport: Check = (value, where) =>
  withMethods('open', 'close')(value, where) ?? text(Reflect.get(value as object, 'description'), `${where}.description`);

const clockReading = record({ time: int64, monotonic: int64, within: uint64 });

const hookOutcome = record({ ok: flag, output: text, durationNs: int64 }, { error: text });

/** Every method of every group of the ports, by its dotted name. */
export const portMethods: Readonly<Record<CapabilityGroup, Readonly<Record<string, MethodContract>>>> = {
  clock: { now: answers(int64), monotonic: answers(int64), after: answers(withMethods('cancel')) },
  'clock.setting': { set: answers(nothing), setFromHardware: answers(nothing) },
  'clock.references': {
    list: {
      answer: listOf(withMethods('read')),
      objects: { read: answers(clockReading), glance: answers(clockReading) },
    },
    step: answers(nothing),
  },
  'fileSystem.files': {
    open: {
      answer: withMethods('read', 'write', 'seek', 'flush', 'close'),
      objects: { read: answers(count), write: answers(nothing), seek: answers(int64), flush: answers(nothing), close: answers(nothing) },
    },
    openAdmitted: { answer: withMethods('read', 'write', 'seek', 'flush', 'close'), optional: true },
  },
  'fileSystem.freezing': {
    survey: list(record(
      { id: text, mountPoints: listOf(text), type: text, source: text, readOnly: flag, backing: listOf(text) },
      {
        leftOut: record({ reason: oneOf('read-only', 'network', 'fuse', 'overlay', 'pseudo', 'not-freezable', 'excluded', 'cannot-open', 'covered', 'no-device'), detail: text }),
        dirtyBytes: uint64, flushEstimateMs: finite, suspended: text,
      },
    )),
    begin: session,
    recover: { ...session, answer: orUndefined(session.answer) },
    thawEverything: answers(thawed),
  },
  'fileSystem.trimming': { trim: list(record({ path: text }, { trimmed: uint64, minimum: uint64, error: text })) },
  'fileSystem.usage': {
    list: list(record(
      { name: text, mountPoint: text, type: text, disks: listOf(diskAddress) },
      { usedBytes: uint64, totalBytes: uint64, totalBytesPrivileged: uint64 },
    )),
  },
  'fileSystem.disks': { list: list(record({ name: text, partition: flag }, { dependencies: listOf(text), address: diskAddress, alias: text, smart })) },
  'fileSystem.diskStatistics': { list: list(record({ name: text, major: count, minor: count, counters })) },
  'power.shutdown': { shutdown: answers(nothing) },
  'power.suspend': { suspend: answers(nothing) },
  'network.interfaces': {
    list: list(record(
      { name: text, addresses: listOf(record({ family: oneOf('ipv4', 'ipv6'), address: text, prefix: count })) },
      { hardwareAddress: text, statistics: traffic },
    )),
  },
  'network.routes': { list: list(route) },
  processes: {
    spawn: {
      answer: runningProcess,
      objects: { onOutput: answers(nothing), kill: answers(nothing) },
      promises: { finished: processEnd },
    },
    locate: { ...answers(record({ path: text }, { distrusted: text })), optional: true },
  },
  'processes.interactive': { start: interactiveProgram },
  'processes.interactive.terminals': {
    start: {
      ...interactiveProgram,
      answer: withMethods(...programMethods, 'resize'),
      objects: { ...interactiveProgram.objects, resize: answers(nothing) },
    },
  },
  'accounts.sessions': { list: list(record({ user: text, loginTime: finite }, { domain: text })) },
  'accounts.passwords': { set: answers(nothing) },
  'accounts.groups': { of: list(text) },
  'accounts.sshKeys': { locate: answers(text), read: answers(orUndefined(text)), write: answers(nothing), overlooked: { answer: orUndefined(text), optional: true } },
  'processors.online': { list: list(record({ logicalId: count, online: flag, canOffline: flag })) },
  'processors.online.switching': { set: answers(nothing) },
  'processors.statistics': {
    list: list(record(
      { cpu: count, user: uint64, nice: uint64, system: uint64, idle: uint64 },
      { iowait: uint64, irq: uint64, softirq: uint64, steal: uint64, guest: uint64, guestNice: uint64 },
    )),
  },
  'processors.load': { average: answers(listOf(finite, 3)) },
  'memory.blocks': { list: list(record({ physIndex: uint64, online: flag, canOffline: flag })), blockSize: answers(uint64) },
  'memory.blocks.switching': {
    set: answers(record({ response: oneOf('success', 'not-found', 'operation-not-supported', 'operation-failed') }, { errorCode: whole })),
  },
  'host.hostName': { get: answers(text) },
  'host.timeZone': { get: answers(record({ offset: whole }, { zone: text })) },
  'host.osInformation': {
    get: answers(record({}, Object.fromEntries(
      ['kernelRelease', 'kernelVersion', 'machine', 'id', 'name', 'prettyName', 'version', 'versionId', 'variant', 'variantId'].map((name) => [name, text]),
    ))),
  },
  'host.devices': {
    list: list(record({ driverName: text }, { driverDate: int64, driverVersion: text, pciId: record({ vendorId: count, deviceId: count }) })),
  },
  'host.driverPackages': { list: list(record({ name: text, version: text }, { originalName: text, vendor: text })) },
  'host.driverServices': {
    list: list(record(
      { name: text, status: oneOf('stopped', 'start-pending', 'stop-pending', 'running', 'continue-pending', 'pause-pending', 'paused', 'unknown') },
      { driverPath: text, version: text, vendor: text },
    )),
  },
  hooks: {
    list: {
      answer: listOf(withMethods('run')),
      objects: { run: answers(hookOutcome) },
    },
  },
  hotplug: { watch: { answer: withMethods('stop'), objects: { stop: answers(nothing) } } },
  generation: {
    watch: { answer: withMethods('stop'), objects: { stop: answers(nothing), look: answers(nothing), heard: answers(orUndefined(text)) } },
    hooks: {
      answer: listOf(withMethods('run')),
      objects: { run: answers(hookOutcome) },
    },
  },
  channels: {
    create: { answer: transport, objects: { open: answers(nothing), close: answers(nothing) }, promises: { lost: failure } },
    appears: { answer: flag, optional: true },
    examine: { answer: findings, optional: true },
  },
  diagnosis: { examine: answers(findings) },
};
