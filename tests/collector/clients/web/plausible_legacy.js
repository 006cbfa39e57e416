// The tracker that Plausible published before.
import Plausible from 'plausible-tracker'

const { enableAutoPageviews, trackEvent } = Plausible({
	domain: 'shop', apiHost: window.COLLECTOR, trackLocalhost: true
})
enableAutoPageviews()

window.journey = {
	custom: () => trackEvent('Plan Chosen', { props: { plan: 'pro' } }),
	purchase: () => trackEvent('Purchase', { props: { order_id: 'o1', revenue: 49.90, currency: 'EUR' } })
}
