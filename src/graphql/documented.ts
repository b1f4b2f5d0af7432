/** Enum values with their descriptions, from a table of name → what it means. */
export function documented<T extends string>(
  table: Readonly<Record<T, string>>,
): { [K in T]: { description: string } } {
  const entries = Object.entries<string>(table).map(([name, description]) => [name, { description }]);
  return Object.fromEntries(entries) as { [K in T]: { description: string } };
}
