// matomo-tracker, single and bulk: node matomo.mjs COLLECTOR
import http from 'node:http'
import MatomoTracker from 'matomo-tracker'

const tracker = new MatomoTracker(3, `${process.argv[2]}/matomo.php`)
const visitor = { _id: '0123456789abcdef', uid: 'u-42' }
const page = 'https://shop.example/shoes?utm_source=news&utm_medium=email'
tracker.on('error', status => { throw new Error(status) })

// It does not read the answer to a single hit, so the program would not end.
tracker.agent = { ...http, get: (url, told) => http.get(url, answer => { answer.resume(); told(answer) }) }

tracker.track({ ...visitor, url: page, action_name: 'Shoes', urlref: 'https://search.example/' })
await new Promise(resolve => tracker.trackBulk([
	{ ...visitor, url: page, e_c: 'plan', e_a: 'plan_chosen', e_n: 'pro', e_v: 2.5 },
	{ ...visitor, url: page, idgoal: 0, ec_id: 'o1', revenue: 49.90,
		ec_items: JSON.stringify([['S1', 'Shoe', 'Shoes', 24.95, 2]]) }
], resolve))
