/** Numbers and times as people read them; times are the server's own. */

const unitOctets = 1024;

/** Octets as `512 B`, `4.0 KiB`, `25 MiB`. */
export function formatOctets(octets: number): string {
  const units = ["B", "KiB", "MiB", "GiB", "TiB"];
  let value = octets;
  let unit = 0;
  for (; value >= unitOctets && unit < units.length - 1; unit++) value /= unitOctets;
  return `${unit === 0 || value >= 10 ? Math.round(value) : value.toFixed(1)} ${units[unit]}`;
}

/** Milliseconds as `12 ms` or `3.4 s`. */
export function formatMs(ms: number): string {
  return ms < 1000 ? `${Math.round(ms)} ms` : `${(ms / 1000).toFixed(1)} s`;
}

/** Seconds as `40 s`, `12 min`, `3 h 5 min`, `2 d 4 h`. */
export function formatSpan(seconds: number): string {
  if (seconds < 60) return `${Math.round(seconds)} s`;
  const minutes = Math.floor(seconds / 60);
  if (minutes < 60) return `${minutes} min`;
  const hours = Math.floor(minutes / 60);
  return hours < 24 ? `${hours} h ${minutes % 60} min` : `${Math.floor(hours / 24)} d ${hours % 24} h`;
}

/** Time of day as `14:05:09`, with the date in front unless it is today's. */
export function formatTime(atMs: number, nowMs: number): string {
  const at = new Date(atMs);
  const time = `${two(at.getHours())}:${two(at.getMinutes())}:${two(at.getSeconds())}`;
  const isToday = at.toDateString() === new Date(nowMs).toDateString();
  return isToday ? time : `${at.getFullYear()}-${two(at.getMonth() + 1)}-${two(at.getDate())} ${time}`;
}

/** A count with its noun: `1 message`, `1,234 messages`. */
export function formatCount(count: number, noun: string): string {
  return `${formatNumber(count)} ${noun}${count === 1 ? "" : "s"}`;
}

/** `12,345`. */
export function formatNumber(value: number): string {
  return value.toLocaleString("en-US");
}

function two(value: number): string {
  return String(value).padStart(2, "0");
}
