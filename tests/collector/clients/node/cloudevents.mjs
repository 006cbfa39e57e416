// The SDK of CloudEvents: structured, binary, batched: node cloudevents.mjs COLLECTOR
import { CloudEvent, HTTP } from 'cloudevents'

const event = (type, data) => new CloudEvent({ type, source: '/shop', subject: 'u-42', data })
const send = async ({ headers, body }) => {
	const answer = await fetch(`${process.argv[2]}/cloudevents/shop`, { method: 'POST', headers, body })
	if (answer.status !== 204) throw new Error(`${answer.status} ${await answer.text()}`)
}

await send(HTTP.structured(event('com.shop.order.completed', { order_id: 'o1', revenue: 49.90, currency: 'EUR' })))
await send(HTTP.binary(event('com.shop.user.signed_up', { plan: 'pro', note: 'سفر' })))
const batch = [event('page_view', { url: 'https://shop.example/a' }), event('page_view', { url: 'https://shop.example/b' })]
await send({ headers: { 'content-type': 'application/cloudevents-batch+json' }, body: JSON.stringify(batch) })
