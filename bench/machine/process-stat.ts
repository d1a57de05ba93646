/**
 * What Linux says of processes: CPU time and memory of a whole process group, from /proc.
 *
 * Everything that the harness starts leads a group of its own. A supervisor's workers lead groups of
 * theirs, so what descends from a member counts too. CPU times include children that were waited for,
 * so the sum never goes back when a process ends.
 */
import { readFileSync, readdirSync } from "node:fs";

/** One line of /proc/PID/stat, as far as it is of use here. */
export interface ProcessStat {
  readonly pid: number;
  readonly parent: number;
  readonly group: number;
  /** One letter: R running, S sleeping, T stopped, Z zombie, … */
  readonly state: string;
  /** Own time and that of children that were waited for, user and system, in clock ticks. */
  readonly cpuTicks: number;
  /** Whole pages, so never less than what is resident. */
  readonly residentPages: number;
}

export interface GroupUsage {
  readonly processes: number;
  readonly cpuMs: number;
  /** Sum over the group; memory that its processes share counts once for each. */
  readonly residentBytes: number;
  /** Sum over the group; memory that is shared counts in parts. Undefined where it cannot be read. */
  readonly proportionalBytes: number | undefined;
}

/** Linux reports times to user space in ticks of this length whatever the kernel counts in. */
const MS_PER_TICK = 10;
const PAGE_BYTES = 4096;

/** Reads one stat line (proc_pid_stat(5)). Throws TypeError if it is not one. */
export function parseProcessStat(line: string): ProcessStat {
  // The command's name stands in parentheses and may itself hold spaces and parentheses.
  const open = line.indexOf("(");
  const close = line.lastIndexOf(")");
  if (open < 0 || close < open) throw new TypeError("not a line of /proc/PID/stat");
  const rest = line.slice(close + 2).split(" ");
  // `rest` starts at field 3 of the manual page.
  const field = (number: number): number => {
    const value = Number(rest[number - 3]);
    if (!Number.isFinite(value)) throw new TypeError(`field ${number} of stat is not a number`);
    return value;
  };
  return {
    pid: Number(line.slice(0, open)),
    state: rest[0] ?? "",
    parent: field(4),
    group: field(5),
    cpuTicks: field(14) + field(15) + field(16) + field(17),
    residentPages: field(24),
  };
}

/** `Pss:` of /proc/PID/smaps_rollup in bytes, or undefined. */
export function parseProportionalBytes(text: string): number | undefined {
  const found = /^Pss:\s+(\d+) kB$/m.exec(text);
  return found === null ? undefined : Number(found[1]) * 1024;
}

/** The living processes of a group, and what descends from them. */
export function groupMembers(group: number): ProcessStat[] {
  return membersOf(group, livingProcesses());
}

/** Those of a group, and those whose parent is one of them, whatever group they lead themselves. */
export function membersOf(group: number, processes: readonly ProcessStat[]): ProcessStat[] {
  const members = processes.filter((one) => one.group === group);
  const known = new Set(members.map(({ pid }) => pid));
  for (let index = 0; index < members.length; index++) {
    const parent = members[index]?.pid;
    for (const one of processes) {
      if (one.parent !== parent || known.has(one.pid)) continue;
      known.add(one.pid);
      members.push(one);
    }
  }
  return members;
}

function livingProcesses(): ProcessStat[] {
  const processes: ProcessStat[] = [];
  for (const name of readdirSync("/proc")) {
    if (!/^\d+$/.test(name)) continue;
    const text = readOrUndefined(`/proc/${name}/stat`);
    if (text === undefined) continue;
    const stat = parseProcessStat(text);
    if (stat.state !== "Z") processes.push(stat);
  }
  return processes;
}

/** What a group has used until now. Throws if nobody is left in it. */
export function groupUsage(group: number): GroupUsage {
  const members = groupMembers(group);
  if (members.length === 0) throw new Error(`process group ${group} is gone`);
  let ticks = 0;
  let pages = 0;
  let proportional: number | undefined = 0;
  for (const member of members) {
    ticks += member.cpuTicks;
    pages += member.residentPages;
    const text = readOrUndefined(`/proc/${member.pid}/smaps_rollup`);
    const bytes = text === undefined ? undefined : parseProportionalBytes(text);
    proportional =
      bytes === undefined || proportional === undefined ? undefined : proportional + bytes;
  }
  return {
    processes: members.length,
    cpuMs: ticks * MS_PER_TICK,
    residentBytes: pages * PAGE_BYTES,
    proportionalBytes: proportional,
  };
}

/** Milliseconds that a process's first thread has used: of ours, the one that serves. */
export function firstThreadCpuMs(pid: number): number {
  const stat = parseProcessStat(readFileSync(`/proc/${pid}/task/${pid}/stat`, "utf8"));
  return stat.cpuTicks * MS_PER_TICK;
}

/** Resident bytes of a group alone: cheap enough to sample many times a second. */
export function groupResidentBytes(group: number): number {
  return groupMembers(group).reduce((sum, member) => sum + member.residentPages * PAGE_BYTES, 0);
}

/** Milliseconds for which a core was not idle, by whomever (proc_stat(5)). */
export function parseCoreBusyMs(stat: string, core: number): number {
  const found = new RegExp(`^cpu${core} (.*)$`, "m").exec(stat);
  if (found === null) throw new TypeError(`/proc/stat has no core ${core}`);
  const [user = 0, nice = 0, system = 0, , , irq = 0, softirq = 0, steal = 0] = (found[1] ?? "")
    .split(" ")
    .map(Number);
  return (user + nice + system + irq + softirq + steal) * MS_PER_TICK;
}

export function coreBusyMs(core: number): number {
  return parseCoreBusyMs(readFileSync("/proc/stat", "utf8"), core);
}

function readOrUndefined(path: string): string | undefined {
  try {
    return readFileSync(path, "utf8");
  } catch {
    // The process ended between the listing and the reading, or belongs to somebody else.
    return undefined;
  }
}
