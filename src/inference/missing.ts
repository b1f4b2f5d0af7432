import type { NetTask } from '../imaging/nets.ts';
import { because, type NetProblem } from './shelf.ts';

/** What a net of a task is for, to stand behind “no net for”. No net for filling is missed: none ships with Heirloom. */
const PURPOSES: Readonly<Partial<Record<NetTask, string>>> = {
  restore: 'grain and JPEG artefacts',
  mask: 'finding damage',
  upscale: 'enlarging',
};

/** The same where the operator wants none. */
export function saySwitchedOff(tasks: readonly NetTask[]): string | undefined {
  const missed = tasks.some((task) => PURPOSES[task] !== undefined);
  return missed
    ? 'The nets that ship with Heirloom are switched off (USE_NETS). Classical steps are used instead.'
    : undefined;
}

const list = new Intl.ListFormat('en-GB');

/**
 * What of the nets for these tasks cannot be used and what happens instead, in plain sentences; undefined where all can.
 *
 * @param problems of all nets; one whose task is not known concerns every task.
 * @param isUsable whether there is a net for a task at all.
 */
export function sayMissing(
  tasks: readonly NetTask[],
  problems: readonly NetProblem[],
  isUsable: (task: NetTask) => boolean,
): string | undefined {
  const concerned = problems.filter(({ task }) => task === undefined || tasks.includes(task));
  const lacking = tasks.filter((task) => PURPOSES[task] !== undefined && !isUsable(task));
  const unexplained = lacking.filter((task) => !concerned.some((problem) => (problem.task ?? task) === task));
  if (concerned.length + lacking.length === 0) return undefined;

  const whole = concerned.filter(({ why }) => why === undefined).map(({ reason }) => reason);
  const shared = Map.groupBy(
    concerned.flatMap(({ name, why }) => (why === undefined ? [] : [{ name, why }])),
    ({ why }) => why,
  );
  const sentences = [
    ...Array.from(shared, ([why, nets]) => because(nets.map(({ name }) => name).toSorted(), why)),
    ...whole,
    ...(unexplained.length === 0
      ? []
      : [`There is no net in models/ for ${list.format(unexplained.flatMap((task) => PURPOSES[task] ?? []))}.`]),
  ];
  return [
    ...sentences,
    lacking.length === 0 ? 'Other nets are used instead.' : 'Classical steps are used instead.',
  ].join(' ');
}
