// Snowplow's node tracker: node snowplow.mjs COLLECTOR get|post
import * as snowplow from '@snowplow/node-tracker'

const [, , collector, eventMethod] = process.argv
const tracker = snowplow.newTracker(
	{ namespace: 'sp', appId: 'shop', encodeBase64: eventMethod === 'get' },
	{ endpoint: collector, eventMethod, bufferSize: 1 }
)
tracker.setUserId('u-42')
tracker.setDomainUserId('d-1')
tracker.track(snowplow.buildPageView({
	pageUrl: 'https://shop.example/shoes?utm_source=news', pageTitle: 'Shoes', referrer: 'https://search.example/'
}))
tracker.track(snowplow.buildStructEvent({ category: 'plan', action: 'plan_chosen', label: 'pro', value: 2.5 }))
tracker.track(snowplow.buildSelfDescribingEvent({ event: {
	schema: 'iglu:com.snowplowanalytics.snowplow.ecommerce/snowplow_ecommerce_action/jsonschema/1-0-2',
	data: { type: 'transaction' }
} }), [{
	schema: 'iglu:com.snowplowanalytics.snowplow.ecommerce/transaction/jsonschema/1-0-0',
	data: { transaction_id: 'o1', revenue: 49.90, currency: 'EUR', payment_method: 'card' }
}])
await tracker.flush?.()
