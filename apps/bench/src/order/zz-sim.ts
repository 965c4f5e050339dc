import { addressOrder, preCopy } from '@godwit/strategies';
import { priorityOrder, recencyOrder } from '@godwit/dirty-tracker';
import { PageWriter } from './page-writer.ts';
import { SimulatedMigration } from './simulated-migration.ts';
const orders = { address: addressOrder, recency: recencyOrder, priority: priorityOrder, pri4: () => priorityOrder({halveAfter: 4}), pri16: () => priorityOrder({halveAfter: 16}) };
const W=Number(process.argv[2]??16384), total=Number(process.argv[3]??2000), P=65536;
for (const pattern of ['random','zipf','sweep'] as const) for (const rate of [50e3,150e3,300e3,1e6,4e6]) {
  let line=`${pattern} ${rate/1e3}k: `;
  for (const [name, make] of Object.entries(orders)) {
    let s=[0,0,0,0]; const seeds=2;
    for (let seed=1;seed<=seeds;seed++){
      const m = new SimulatedMigration({ pageCount:P, writer: new PageWriter(pattern, P/2 - W/2, W, seed), writesPerSecond: rate, pagesPerSecond: 305175, budget:{totalMs:total,downtimeMs:10} });
      let rounds=0; for await (const e of preCopy({ order: make(), chunkMs: Number(process.argv[4]??100) }).run(m)) if (e.type==='round') rounds++;
      const o=m.outcome(rounds); if(o.stalePages) throw new Error('stale');
      s[0]!+=o.resentPages/seeds; s[1]!+=o.blackoutPages/seeds; s[2]!+=o.rounds/seeds; s[3]!+=o.totalMs/seeds;
    }
    line+=` | ${name} re ${s[0]!.toFixed(0)} bl ${s[1]!.toFixed(0)} r ${s[2]!.toFixed(1)} ${s[3]!.toFixed(0)}ms`;
  }
  console.log(line);
}
