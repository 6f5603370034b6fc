/** Processor time of another process, seen from outside: what a noisy machine distorts least. */

/** Linux counts in hundredths of a second for every architecture's user space (USER_HZ). */
const TICKS_PER_SECOND = 100;

/** @returns Milliseconds of user and system time that the process `pid` has used; undefined where there is no /proc. */
export async function cpuTimeMs(pid: number): Promise<number | undefined> {
  if (Deno.build.os !== "linux") return undefined;
  const text = await Deno.readTextFile(`/proc/${pid}/stat`);
  // proc_pid_stat(5): utime and stime are fields 14 and 15; field 2 is in brackets and may contain blanks.
  const fields = text.slice(text.lastIndexOf(")") + 2).split(" ");
  return (Number(fields[11]) + Number(fields[12])) * 1000 / TICKS_PER_SECOND;
}
