/** What has come of the mutants of a folder: of each file how many, the survivors at their places, and the share that is killed. */
import { existsSync, readFileSync } from 'node:fs';
import { explanation } from './explained.mjs';

/** Prints it. Returns per cent killed of what can be seen. */
export function report(folder) {
  const file = `build/mutants/${folder}.json`;
  if (!existsSync(file)) {
    console.log(`${folder}: not run yet`);
    return 0;
  }
  const { files } = JSON.parse(readFileSync(file, 'utf8'));
  const all = counts();
  const holes = [];
  const reasons = new Set();
  const rows = Object.entries(files).map(([file, { source, mutants }]) => {
    const row = counts();
    for (const mutant of mutants) {
      const place = placeOf(file, source, mutant);
      const found = FATE[mutant.status];
      const reason = found === 'survived' ? explanation(place) : undefined;
      const fate = reason === undefined ? found : 'explained';
      if (fate === undefined) throw new Error(`${file}: a mutant is "${mutant.status}"`);
      row[fate]++;
      all[fate]++;
      const words = `${file}:${mutant.location.start.line} ${place.what} → ${place.to}`;
      if (reason !== undefined) reasons.add(`${words}: ${reason}`);
      else if (fate === 'survived') holes.push(words);
    }
    return lineOf(file, row);
  });
  console.log(
    [
      '| file | mutants | killed | timed out | explained | survived | killed, of what can be seen |',
      '| --- | ---: | ---: | ---: | ---: | ---: | ---: |',
      ...rows,
      lineOf(folder, all),
      '',
      'Survived:',
      ...holes,
      '',
      'Explained:',
      ...reasons,
    ].join('\n'),
  );
  return share(all);
}

const FATE = {
  Killed: 'killed',
  // It throws where the module loads.
  RuntimeError: 'killed',
  Timeout: 'timedOut',
  Survived: 'survived',
  NoCoverage: 'survived',
  Ignored: 'ignored',
};

function counts() {
  return { killed: 0, timedOut: 0, explained: 0, survived: 0, ignored: 0 };
}

function share({ killed, timedOut, survived }) {
  return (100 * (killed + timedOut)) / (killed + timedOut + survived);
}

function lineOf(name, row) {
  const { killed, timedOut, explained, survived } = row;
  const mutants = killed + timedOut + explained + survived;
  const columns = [name, mutants, killed, timedOut, explained, survived, `${share(row).toFixed(2)} %`];
  return `| ${columns.join(' | ')} |`;
}

/** What stands there, what the mutant has instead, and the line. */
function placeOf(file, source, { location: { start, end }, replacement = '' }) {
  const lines = source.split('\n');
  const line = lines[start.line - 1];
  const rest = line.slice(start.column - 1, start.line === end.line ? end.column - 1 : undefined);
  return { file, line, what: start.line === end.line ? rest : `${rest} …`, to: replacement.split('\n')[0] };
}
