import { execFileSync, spawn } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { WebSocket } from 'ws';
import { until } from './raw-http.ts';

/** Where Chromium is; null where there is none. */
export function findChromium(): string | null {
  for (const name of ['chromium', 'chromium-browser', 'google-chrome']) {
    try {
      return execFileSync('which', [name], { encoding: 'utf8' }).trim();
    } catch {
      // The next name.
    }
  }
  return null;
}

type Params = Record<string, any>;

export interface Tab {
  open(url: string): Promise<void>;
  /** The value of an expression in the page; a promise is waited for. */
  evaluate(expression: string): Promise<any>;
  /** Waits until an expression in the page is truthy; answers its value. */
  until(expression: string, ms?: number): Promise<any>;
  /** Puts files into a file field, as a person who chose them. */
  choose(selector: string, ...paths: string[]): Promise<void>;
  /** Clicks the first button or link with this text, as a person. */
  click(text: string): Promise<void>;
  press(key: string, code: number, modifiers?: number): Promise<void>;
  /** Pastes into what has the focus, in place of what is there. */
  paste(text: string): Promise<void>;
  /** Clicks at the middle of the first element that fits. */
  clickOn(selector: string): Promise<void>;
  /** What the page asked for, WebSockets included; data: and blob: left out. */
  readonly requests: string[];
  /** Exceptions, `console.error` and what the browser itself calls an error. */
  readonly errors: string[];
  close(): Promise<void>;
}

export interface Browser {
  /** A new tab without memory of the others. */
  tab(): Promise<Tab>;
  close(): Promise<void>;
}

const DOMAINS = ['Page', 'Runtime', 'Log', 'Network', 'DOM'];
const CONTROL = 2;

/** Chromium without a window, driven by the DevTools protocol (https://chromedevtools.github.io/devtools-protocol/). */
export async function startBrowser(path: string): Promise<Browser> {
  const profile = await mkdtemp(join(tmpdir(), 'heirloom-chromium-'));
  const flags = ['--headless', '--no-sandbox', '--disable-gpu', '--disable-dev-shm-usage', '--no-first-run'];
  const child = spawn(path, [...flags, '--remote-debugging-port=0', `--user-data-dir=${profile}`, 'about:blank']);
  const endpoint = await new Promise<string>((resolve, reject) => {
    let text = '';
    child.stderr.on('data', (chunk) => {
      text += String(chunk);
      const found = /DevTools listening on (\S+)/.exec(text)?.[1];
      if (found) resolve(found);
    });
    child.on('error', reject);
    child.on('exit', () => reject(new Error(text)));
  });
  const socket = new WebSocket(endpoint, { perMessageDeflate: false });
  await new Promise((resolve, reject) => socket.once('open', resolve).once('error', reject));

  let lastId = 0;
  const answers = new Map<number, { resolve(value: any): void; reject(error: Error): void }>();
  const listeners = new Map<string, (method: string, params: Params) => void>();
  socket.on('message', (data) => {
    const message = JSON.parse(String(data));
    if (message.id === undefined) listeners.get(message.sessionId)?.(message.method, message.params);
    else if (message.error) answers.get(message.id)?.reject(new Error(message.error.message));
    else answers.get(message.id)?.resolve(message.result);
  });
  function send(method: string, params: Params = {}, sessionId?: string): Promise<any> {
    const id = ++lastId;
    socket.send(JSON.stringify({ id, method, params, sessionId }));
    return new Promise((resolve, reject) => answers.set(id, { resolve, reject }));
  }

  async function tab(): Promise<Tab> {
    const { browserContextId } = await send('Target.createBrowserContext');
    const { targetId } = await send('Target.createTarget', { url: 'about:blank', browserContextId });
    const { sessionId } = await send('Target.attachToTarget', { targetId, flatten: true });
    const call = (method: string, params?: Params) => send(method, params, sessionId);
    const requests: string[] = [];
    const errors: string[] = [];
    const notes: Record<string, (params: Params) => void> = {
      'Network.requestWillBeSent': ({ request }) => {
        if (!/^(?:data|blob):/.test(request.url)) requests.push(request.url);
      },
      'Network.webSocketCreated': ({ url }) => requests.push(url),
      'Runtime.exceptionThrown': ({ exceptionDetails }) =>
        errors.push(exceptionDetails.exception?.description ?? exceptionDetails.text),
      'Runtime.consoleAPICalled': ({ type, args }) => {
        if (type === 'error') errors.push(args.map(({ value }: Params) => value).join(' '));
      },
      'Log.entryAdded': ({ entry }) => {
        if (entry.level === 'error') errors.push(`${entry.source}: ${entry.text}`);
      },
    };
    listeners.set(sessionId, (method, params) => notes[method]?.(params));
    for (const domain of DOMAINS) await call(`${domain}.enable`);

    async function evaluate(expression: string): Promise<any> {
      const options = { expression, awaitPromise: true, returnByValue: true, userGesture: true };
      const { result, exceptionDetails } = await call('Runtime.evaluate', options);
      if (exceptionDetails) throw new Error(exceptionDetails.exception?.description ?? exceptionDetails.text);
      return result.value;
    }
    async function press(key: string, code: number, modifiers = 0): Promise<void> {
      const event = { key, windowsVirtualKeyCode: code, modifiers };
      await call('Input.dispatchKeyEvent', { type: 'keyDown', ...event });
      await call('Input.dispatchKeyEvent', { type: 'keyUp', ...event });
    }

    return {
      requests,
      errors,
      evaluate,
      press,
      open: (url) => call('Page.navigate', { url }),
      async until(expression, ms = 20_000) {
        let value: any;
        // Between two pages there is nothing to ask.
        const ask = () => evaluate(expression).catch(() => undefined);
        await until(async () => Boolean((value = await ask())), ms).catch(async () => {
          const seen = await evaluate('document.body.innerText.slice(0, 1500)');
          throw new Error(`Not within ${ms} ms: ${expression}\n${seen}\n${errors.join('\n')}`);
        });
        return value;
      },
      async choose(selector, ...files) {
        const { root } = await call('DOM.getDocument');
        const { nodeId } = await call('DOM.querySelector', { nodeId: root.nodeId, selector });
        await call('DOM.setFileInputFiles', { nodeId, files });
      },
      async click(text) {
        const list = `[...document.querySelectorAll('button, a')]`;
        const found = await evaluate(
          `(() => { const found = ${list}.find((one) => one.textContent.trim() === ${JSON.stringify(text)}); found?.click(); return Boolean(found); })()`,
        );
        if (!found) throw new Error(`There is no “${text}”.`);
      },
      async clickOn(selector) {
        const [x, y] = await evaluate(
          `(() => { const box = document.querySelector(${JSON.stringify(selector)}).getBoundingClientRect(); return [box.x + box.width / 2, box.y + box.height / 2]; })()`,
        );
        for (const type of ['mousePressed', 'mouseReleased']) {
          await call('Input.dispatchMouseEvent', { type, x, y, button: 'left', clickCount: 1 });
        }
      },
      async paste(text) {
        await press('a', 65, CONTROL);
        await evaluate(
          `(() => { const clipboardData = new DataTransfer(); clipboardData.setData('text/plain', ${JSON.stringify(text)}); document.activeElement.dispatchEvent(new ClipboardEvent('paste', { clipboardData, bubbles: true, cancelable: true })); })()`,
        );
      },
      async close() {
        listeners.delete(sessionId);
        await send('Target.disposeBrowserContext', { browserContextId });
      },
    };
  }

  return {
    tab,
    async close() {
      const gone = new Promise((resolve) => child.once('close', resolve));
      child.removeAllListeners('exit');
      socket.terminate();
      child.kill('SIGKILL');
      await gone;
      await rm(profile, { recursive: true, force: true, maxRetries: 10, retryDelay: 50 });
    },
  };
}
