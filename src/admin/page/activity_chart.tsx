/** Half an hour as bars, drawn by the server: it is there without scripts, and an event replaces it whole. */

import type { FC } from "hono/jsx";
import type { ActivityMinute } from "./activity.ts";
import { formatCount, formatMs, formatTime } from "./format_measures.ts";

/** One bar in two parts, the second on top of the first. */
interface Bar {
  readonly startMs: number;
  readonly base: number;
  readonly top: number;
  readonly title: string;
}

interface ChartProps {
  readonly title: string;
  /** The figure that matters now. */
  readonly figure: string;
  readonly bars: readonly Bar[];
  /** What the two parts are. */
  readonly legend: readonly [string, string];
  readonly unit: (value: number) => string;
  readonly kind: "messages" | "latency";
}

/** Drawing units of one bar and of the whole height. */
const barWidth = 10;
const gap = 2;
const height = 100;

/** Messages by the minute. */
export const MessagesChart: FC<{ minutes: readonly ActivityMinute[] }> = ({ minutes }) => {
  const now = minutes.at(-1);
  const bars = minutes.map(({ startMs, relayed, failed }) => ({
    startMs,
    base: relayed,
    top: failed,
    title: `${clock(startMs)}: ${formatCount(relayed, "message")} relayed, ${failed} refused`,
  }));
  return (
    <Chart
      kind="messages"
      title="Messages per minute"
      figure={`${(now?.relayed ?? 0) + (now?.failed ?? 0)} this minute`}
      bars={bars}
      legend={["relayed", "deferred or rejected"]}
      unit={(value) => String(value)}
    />
  );
};

/** Latency of relayed messages by the minute. */
export const LatencyChart: FC<{ minutes: readonly ActivityMinute[] }> = ({ minutes }) => {
  const last = minutes.findLast(({ medianMs }) => medianMs !== undefined);
  const bars = minutes.map(({ startMs, medianMs = 0, p95Ms = 0 }) => ({
    startMs,
    base: medianMs,
    top: p95Ms - medianMs,
    title: `${clock(startMs)}: half within ${formatMs(medianMs)}, 95 % within ${formatMs(p95Ms)}`,
  }));
  return (
    <Chart
      kind="latency"
      title="Time for a message"
      figure={last ? `${formatMs(last.medianMs!)} median, ${formatMs(last.p95Ms!)} 95 %` : "no messages yet"}
      bars={bars}
      legend={["median", "95 %"]}
      unit={formatMs}
    />
  );
};

const Chart: FC<ChartProps> = ({ title, figure, bars, legend, unit, kind }) => {
  const highest = roundUp(Math.max(1, ...bars.map(({ base, top }) => base + top)));
  const width = bars.length * barWidth;
  return (
    <figure class={`chart ${kind}`}>
      <figcaption>
        <h2>{title}</h2>
        <strong>{figure}</strong>
      </figcaption>
      <div class="plot">
        <span class="highest" aria-hidden="true">{unit(highest)}</span>
        <svg
          viewBox={`0 0 ${width} ${height}`}
          preserveAspectRatio="none"
          role="img"
          aria-label={`${title} over the last ${bars.length} minutes: ${figure}`}
        >
          {[0.5, height / 2, height - 0.5].map((y) => (
            <line key={y} class="grid" x1="0" x2={width} y1={y} y2={y} />
          ))}
          {bars.map((bar, index) => (
            <BarShape key={bar.startMs} bar={bar} x={index * barWidth} scale={height / highest} />
          ))}
        </svg>
        <span class="from" aria-hidden="true">{clock(bars[0]?.startMs ?? 0)}</span>
        <span class="to" aria-hidden="true">now</span>
      </div>
      <ul class="legend">
        <li class="base">{legend[0]}</li>
        <li class="top">{legend[1]}</li>
      </ul>
    </figure>
  );
};

const BarShape: FC<{ bar: Bar; x: number; scale: number }> = ({ bar: { base, top, title }, x, scale }) => {
  if (base + top === 0) return null;
  const at = { x: x + gap / 2, width: barWidth - gap };
  const [baseHeight, topHeight] = [base * scale, top * scale].map((value) => Number(value.toFixed(2)));
  return (
    <g>
      <title>{title}</title>
      <rect class="base" {...at} y={height - baseHeight!} height={baseHeight} />
      <rect class="top" {...at} y={height - baseHeight! - topHeight!} height={topHeight} />
    </g>
  );
};

/** 1, 2 or 5 times a power of ten, so that the scale doesn't change with every message. */
function roundUp(value: number): number {
  const power = 10 ** Math.floor(Math.log10(value));
  return [1, 2, 5, 10].map((factor) => factor * power).find((candidate) => candidate >= value)!;
}

function clock(atMs: number): string {
  return formatTime(atMs, atMs).slice(0, 5);
}
