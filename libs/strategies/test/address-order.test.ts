import { pageOrderSuite } from '@godwit/contract-tests';
import { addressOrder } from '../src/index.ts';

pageOrderSuite('address', () => ({ order: addressOrder(), learns: false }));
