// SPDX-License-Identifier: Apache-2.0
/** What is in force at some moment: seconds east of UTC and the abbreviation. */
export interface LocalTime {
  readonly offset: number;
  readonly zone: string;
}

/** A rule such as `CET-1CEST,M3.5.0,M10.5.0/3` (tzset(3), RFC 8536 section 3.3). */
export interface PosixTimeZone {
  readonly standard: LocalTime;
  readonly daylight?: { readonly time: LocalTime; readonly start: Change; readonly end: Change };
}

/** A day of each year and the seconds from its midnight, in the local time that is in force before. */
interface Change {
  readonly dayOf: (year: number) => number;
  readonly seconds: number;
}

const secondsPerDay = 86_400;
const name = /^(?:<([A-Za-z0-9+-]{3,})>|([A-Za-z]{3,}))/;
const clock = /^([+-]?)(\d{1,3})(?::(\d{1,2}))?(?::(\d{1,2}))?/;

/** `undefined` for a text that is no such rule. */
export function parsePosixTimeZone(text: string): PosixTimeZone | undefined {
  let rest = text;
  const take = (pattern: RegExp): RegExpExecArray | undefined => {
    const match = pattern.exec(rest);
    if (match === null) return undefined;
    rest = rest.slice(match[0].length);
    return match;
  };
  const takeSeconds = (): number | undefined => secondsOf(take(clock));

  const standardName = take(name);
  const west = takeSeconds();
  if (standardName === undefined || west === undefined) return undefined;
  const standard: LocalTime = { offset: 0 - west, zone: standardName[1] ?? standardName[2] ?? '' };
  if (rest === '') return { standard };

  const daylightName = take(name);
  if (daylightName === undefined) return undefined;
  const offset = /^[+\-\d]/.test(rest) ? takeSeconds() : undefined;
  const time: LocalTime = {
    offset: offset === undefined ? standard.offset + 3600 : 0 - offset,
    zone: daylightName[1] ?? daylightName[2] ?? '',
  };
  // Without rules glibc takes those of the United States.
  const [start, end, ...more] = (rest === '' ? ',M3.2.0,M11.1.0' : rest).split(',').slice(1).map(changeOf);
  if ((rest !== '' && !rest.startsWith(',')) || start === undefined || end === undefined || more.length > 0) return undefined;
  return { standard, daylight: { time, start, end } };
}

function secondsOf(match: RegExpExecArray | undefined): number | undefined {
  if (match === undefined) return undefined;
  const [, sign, hours, minutes = '0', seconds = '0'] = match;
  const size = Number(hours) * 3600 + Number(minutes) * 60 + Number(seconds);
  return sign === '-' ? -size : size;
}

function changeOf(text: string): Change | undefined {
  const [day = '', time] = text.split('/', 2);
  const match = time === undefined ? undefined : (clock.exec(time) ?? undefined);
  if (time !== undefined && match?.[0] !== time) return undefined;
  const dayOf = dayRule(day);
  return dayOf === undefined ? undefined : { dayOf, seconds: secondsOf(match) ?? 7200 };
}

/** Days since 1970-01-01 of the day that a rule means in a year. */
function dayRule(text: string): Change['dayOf'] | undefined {
  const monthly = /^M(\d{1,2})\.([1-5])\.([0-6])$/.exec(text);
  if (monthly !== null) {
    const [month = 0, week = 0, weekday = 0] = monthly.slice(1).map(Number);
    return month >= 1 && month <= 12 ? (year) => nthWeekday(year, month, week, weekday) : undefined;
  }
  const julian = /^(J?)(\d{1,3})$/.exec(text);
  if (julian === null) return undefined;
  const day = Number(julian[2]);
  // `J60` is always 1 March: 29 February is not counted.
  if (julian[1] === 'J') return day >= 1 && day <= 365 ? (year) => firstDay(year) + day - (isLeap(year) && day >= 60 ? 0 : 1) : undefined;
  return day <= 365 ? (year) => firstDay(year) + day : undefined;
}

const isLeap = (year: number): boolean => (year % 4 === 0 && year % 100 !== 0) || year % 400 === 0;
const dayNumber = (year: number, month: number, day: number): number => Date.UTC(year, month, day) / (secondsPerDay * 1000);
const firstDay = (year: number): number => dayNumber(year, 0, 1);

/** Week 5 is the last one. 1970-01-01 was a Thursday. */
function nthWeekday(year: number, month: number, week: number, weekday: number): number {
  const first = dayNumber(year, month - 1, 1);
  const day = first + ((weekday - ((first + 4) % 7) + 14) % 7) + (week - 1) * 7;
  return day < dayNumber(year, month, 1) ? day : day - 7;
}

/** What a rule says for a moment, in seconds since 1970-01-01 UTC. */
export function posixTimeAt({ standard, daylight }: PosixTimeZone, at: number): LocalTime {
  if (daylight === undefined) return standard;
  const year = new Date((at + standard.offset) * 1000).getUTCFullYear();
  const moment = (change: Change, before: LocalTime): number =>
    change.dayOf(year) * secondsPerDay + change.seconds - before.offset;
  const start = moment(daylight.start, standard);
  const end = moment(daylight.end, daylight.time);
  // South of the equator the summer lies around the turn of the year.
  const summer = start < end ? at >= start && at < end : at >= start || at < end;
  return summer ? daylight.time : standard;
}
