/** Where a bench ran: figures mean little without it. */
export interface Machine {
  readonly cpu: string;
  readonly cores: number;
  readonly system: string;
  readonly deno: string;
  /** ISO 8601. */
  readonly date: string;
  /** Over the last minute; what else was running. */
  readonly loadAverage: string;
}

/** Describes this machine, now. */
export async function describeMachine(): Promise<Machine> {
  return {
    cpu: await cpuModel(),
    cores: navigator.hardwareConcurrency,
    system: `${Deno.build.os} ${Deno.osRelease()} ${Deno.build.arch}`,
    deno: Deno.version.deno,
    date: new Date().toISOString().slice(0, 16) + "Z",
    loadAverage: (Deno.loadavg()[0] ?? 0).toFixed(2),
  };
}

async function cpuModel(): Promise<string> {
  try {
    const text = await Deno.readTextFile("/proc/cpuinfo");
    return /^model name\s*:\s*(.+)$/m.exec(text)?.[1] ?? "unknown processor";
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return "unknown processor";
    throw error;
  }
}
