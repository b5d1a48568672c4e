// ActionCable over a websocket: subscribes to one RoomChannel, reconnects with growing pauses, and says when it is connected.

const PAUSES = [500, 1000, 2000, 4000, 8000, 15000];
const STALE_MS = 9000;

export class Cable {
  /**
   * @param {object} channel fields of the identifier beside `channel` (pubsub_token, user_id, account_id)
   * @param {(event: string, data: object) => void} onEvent each push
   * @param {(connected: boolean) => void} onState after the subscription is confirmed, and when the connection is lost
   */
  constructor(channel, onEvent, onState) {
    this.identifier = JSON.stringify({ channel: "RoomChannel", ...channel });
    this.onEvent = onEvent;
    this.onState = onState;
    this.tries = 0;
    this.closed = false;
    this.connected = false;
    this.watch = setInterval(() => this.#check(), 3000);
    this.online = () => this.#again(true);
    addEventListener("online", this.online);
    this.#connect();
  }

  #connect() {
    const scheme = location.protocol === "https:" ? "wss" : "ws";
    const socket = new WebSocket(`${scheme}://${location.host}/cable`, ["actioncable-v1-json"]);
    this.socket = socket;
    this.seen = Date.now();
    socket.onmessage = ({ data }) => {
      this.seen = Date.now();
      const frame = JSON.parse(data);
      if (frame.type === "welcome") socket.send(JSON.stringify({ command: "subscribe", identifier: this.identifier }));
      else if (frame.type === "confirm_subscription") this.#state(true);
      else if (frame.identifier && frame.message) this.onEvent(frame.message.event, frame.message.data);
    };
    socket.onclose = () => {
      if (this.socket !== socket) return;
      this.#state(false);
      this.#again(false);
    };
  }

  #state(connected) {
    if (connected) this.tries = 0;
    if (connected === this.connected) return;
    this.connected = connected;
    this.onState(connected);
  }

  #again(now) {
    if (this.closed || (now && this.connected)) return;
    clearTimeout(this.timer);
    const pause = now ? 0 : PAUSES[Math.min(this.tries, PAUSES.length - 1)];
    this.tries += 1;
    this.timer = setTimeout(() => {
      this.#drop();
      this.#connect();
    }, pause);
  }

  #drop() {
    const old = this.socket;
    this.socket = null;
    if (old && old.readyState < 2) old.close();
  }

  #check() {
    if (!this.closed && this.socket && this.socket.readyState === 1 && Date.now() - this.seen > STALE_MS) {
      this.#state(false);
      this.#again(true);
    }
  }

  close() {
    this.closed = true;
    clearInterval(this.watch);
    clearTimeout(this.timer);
    removeEventListener("online", this.online);
    this.#drop();
  }
}
