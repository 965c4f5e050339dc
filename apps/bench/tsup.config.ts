import { library } from '../../tsup.base.ts';

export default library({ programs: ['src/cli.ts', 'src/host-main.ts'] });
