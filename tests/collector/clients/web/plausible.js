// Plausible's tracker, as its own script is.
import { init, track } from '@plausible-analytics/tracker'

init({ domain: 'shop', endpoint: window.COLLECTOR + '/api/event', captureOnLocalhost: true })

window.journey = {
	custom: () => track('Plan Chosen', { props: { plan: 'pro' } }),
	purchase: () => track('Purchase', { props: { order_id: 'o1' }, revenue: { amount: 49.90, currency: 'EUR' } })
}
