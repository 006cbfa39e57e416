// The connection: a snapshot of sections, kept up to date by server-sent events, and whether it is alive.

const SILENCE_MS = 6000, RETRY_MS = 2500;

export class Stream {
  // onChange(snapshot, names of the changed sections); onState("loading" | "live" | "broken" | "locked" | "crowded").
  constructor(onChange, onState) {
    this.onChange = onChange;
    this.onState = onState;
    this.site = null;
    this.heard = 0;
    this.state = "";
    setInterval(() => this.check(), 1000);
    document.addEventListener("visibilitychange", () => (document.hidden ? this.close() : this.open(this.site)));
  }

  open(site) {
    this.close();
    this.site = site;
    this.snapshot = {};
    this.opened = Date.now();
    if (!this.state) this.tell("loading");
    const source = (this.source = new EventSource(`/live/events?site=${encodeURIComponent(site)}`));
    source.onmessage = (event) => {
      if (source !== this.source) return;
      const changes = JSON.parse(event.data);
      Object.assign(this.snapshot, changes);
      this.heard = Date.now();
      this.tell("live");
      this.onChange(this.snapshot, Object.keys(changes));
    };
    source.onerror = () => {
      if (source === this.source && source.readyState === EventSource.CLOSED) this.retry();
    };
  }

  close() {
    clearTimeout(this.timer);
    this.source?.close();
    this.source = null;
  }

  check() {
    if (this.source && Date.now() - Math.max(this.heard, this.opened) > SILENCE_MS) this.tell("broken");
  }

  // Refused: for good, or for now?
  async retry() {
    this.close();
    const answer = await fetch("/live/about").catch(() => null);
    this.tell(answer === null ? "broken" : answer.ok ? "crowded" : "locked");
    this.timer = setTimeout(() => this.open(this.site), RETRY_MS);
  }

  tell(state) {
    if (state === this.state) return;
    this.state = state;
    this.onState(state);
  }
}
