// Snowplow's browser tracker. The page says where the collector is and by which method to send.
import {
	enableActivityTracking, newTracker, setUserId, trackPageView, trackStructEvent
} from '@snowplow/browser-tracker'
import { SnowplowEcommercePlugin, trackTransaction } from '@snowplow/browser-plugin-snowplow-ecommerce'

newTracker('sp', window.COLLECTOR, {
	appId: 'shop',
	eventMethod: new URLSearchParams(location.search).get('method') || 'post',
	contexts: { webPage: true, session: true },
	plugins: [SnowplowEcommercePlugin()]
})
enableActivityTracking({ minimumVisitLength: 1, heartbeatDelay: 1 })
trackPageView()

window.journey = {
	navigated: () => trackPageView(),
	custom: () => trackStructEvent({ category: 'plan', action: 'plan_chosen', label: 'pro', value: 2.5 }),
	identify: user => setUserId(user),
	purchase: () => trackTransaction({
		transaction_id: 'o1', revenue: 49.90, currency: 'EUR', payment_method: 'card', total_quantity: 2,
		products: [{ id: 'S1', name: 'Shoe', category: 'Shoes', price: 24.95, quantity: 2, currency: 'EUR' }]
	})
}
