// GA4 by /g/collect, of a client that is not Google's.
import { track } from '@minimal-analytics/ga4'

window.minimalAnalytics = { trackingId: 'G-SHOP', analyticsEndpoint: window.COLLECTOR + '/g/collect' }
track()

window.journey = {
	navigated: () => track(),
	custom: () => track({ type: 'plan_chosen', event: { 'ep.plan': 'pro' } }),
	purchase: () => track({
		type: 'purchase', event: { 'ep.transaction_id': 'o1', 'epn.value': 49.90, cu: 'EUR' }
	})
}
