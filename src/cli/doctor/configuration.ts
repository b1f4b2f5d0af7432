import { unknownNames, type Config } from '../../config.ts';
import { LOOPBACK } from '../../http/request.ts';
import { readCustomModels } from '../../models/custom.ts';
import { ok, problem, warning, type Examined, type Finding } from './finding.ts';

/** An address of IPv6 has brackets in a URL and none in HOST. */
const isLocal = (host: string): boolean => LOOPBACK.has(host) || LOOPBACK.has(`[${host}]`);
const isHttp = (url: string | undefined): boolean =>
  url !== undefined && url.startsWith('http://') && !isLocal(new URL(url).hostname);

/** What is allowed and yet rarely meant. */
const DOUBTS: readonly { when(config: Config): boolean; what(config: Config): string; advice: string }[] = [
  {
    when: ({ mode, host }) => mode === 'development' && !isLocal(host),
    what: ({ host }) => `HOST ${host} lets others in, with the settings of development`,
    advice: 'set NODE_ENV=production, or HOST=127.0.0.1',
  },
  {
    when: ({ publicUrl }) => isHttp(publicUrl),
    what: ({ publicUrl }) => `PUBLIC_URL ${publicUrl} sends tokens and photos in the clear`,
    advice: 'put a proxy with TLS in front and set PUBLIC_URL to its https address',
  },
  {
    when: ({ trustProxy, host }) => trustProxy && !isLocal(host),
    what: ({ host }) => `TRUST_PROXY is on while HOST ${host} can be reached without the proxy`,
    advice: 'let only the proxy reach the port: whoever else does can claim any address',
  },
  {
    when: ({ mode, adminPassword }) => mode === 'production' && adminPassword !== undefined,
    what: () => 'ADMIN_PASSWORD is still set',
    advice: 'take it out after the first start: the account is there',
  },
  {
    when: ({ mode, introspection, graphiql }) => mode === 'production' && (introspection || graphiql),
    what: () => 'INTROSPECTION or GRAPHIQL is on in production',
    advice: 'fine where everybody may see the API; otherwise take them out',
  },
];

export async function* examineConfiguration({ config }: Examined): AsyncGenerator<Finding> {
  const unknown = unknownNames();
  if (unknown.length > 0) {
    yield warning(`.env sets ${unknown.join(', ')}, which Heirloom does not know`, 'look for the name in .env.example');
  }
  try {
    const models = readCustomModels(config.modelsConfig);
    if (models.length > 0) yield ok(`MODELS_CONFIG adds ${models.length} models`);
  } catch (error) {
    yield problem((error as Error).message.replaceAll('\n', ' '), 'mend MODELS_CONFIG');
  }
  const doubts = DOUBTS.filter(({ when }) => when(config));
  for (const { what, advice } of doubts) yield warning(what(config), advice);
  if (doubts.length + unknown.length === 0) yield ok(`configured for ${config.mode}`);
}
