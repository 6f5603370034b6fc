/** Sections of an INI file as Python's configparser writes them, keys in lower case. */
export type IniSections = ReadonlyMap<string, ReadonlyMap<string, string>>;

/** Reads an INI file. Indented lines go on with the value before them; lines that begin with # or ; are comments. */
export function parseIniFile(text: string): IniSections {
  const sections = new Map<string, Map<string, string>>();
  let section: Map<string, string> | undefined;
  let lastKey: string | undefined;
  for (const line of text.replace(/^\uFEFF/, "").split(/\r?\n/)) {
    if (line.trim() === "" || /^\s*[#;]/.test(line)) continue;
    const name = /^\[(.+)\]\s*$/.exec(line)?.[1];
    const [, key, value = ""] = /^([^\s=:][^=:]*?)\s*[=:]\s*(.*)$/.exec(line) ?? [];
    if (name !== undefined) {
      section = sections.get(name) ?? new Map();
      sections.set(name, section);
      lastKey = undefined;
    } else if (/^\s/.test(line)) {
      if (lastKey !== undefined) section?.set(lastKey, `${section.get(lastKey) ?? ""}\n${line.trim()}`);
    } else if (key !== undefined) {
      lastKey = key.toLowerCase();
      section?.set(lastKey, value.trim());
    }
  }
  return sections;
}
