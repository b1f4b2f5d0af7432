import { readFile } from 'node:fs/promises';
import { expect, it } from 'vitest';

it.each(['apollo.ts', 'urql.ts', 'curl.sh'])(
  'the README shows tests/readme-snippets/%s as it is tested',
  async (name) => {
    const path = `tests/readme-snippets/${name}`;
    const [readme, snippet] = await Promise.all([readFile('README.md', 'utf8'), readFile(path, 'utf8')]);
    const shown = new RegExp(`<!-- snippet ${path} -->\\n\`\`\`\\w+\\n(?<text>[^]*?)\`\`\`\\n<!-- /snippet -->`).exec(
      readme,
    );
    expect(shown?.groups?.['text']).toBe(snippet);
  },
);
