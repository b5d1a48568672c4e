// Times as people of both languages write them. Chatwoot sends whole seconds.

const TAG = { zh: "zh-CN", en: "en-GB" };

/** Clock time of a message. */
export function clockTime(seconds, locale) {
  return new Date(seconds * 1000).toLocaleTimeString(TAG[locale], { hour: "2-digit", minute: "2-digit", hour12: false });
}

/** The day of a message, for the line between days: today, yesterday, or the date. */
export function dayLine(seconds, locale, now = new Date()) {
  const day = new Date(seconds * 1000);
  const midnight = (date) => new Date(date.getFullYear(), date.getMonth(), date.getDate()).getTime();
  const ago = Math.round((midnight(now) - midnight(day)) / 86400000);
  if (ago === 0) return locale === "zh" ? "今天" : "Today";
  if (ago === 1) return locale === "zh" ? "昨天" : "Yesterday";
  const year = day.getFullYear() === now.getFullYear() ? {} : { year: "numeric" };
  return day.toLocaleDateString(TAG[locale], { month: "long", day: "numeric", weekday: "long", ...year });
}

/** How long something has lasted, short: 45 s, 12 min, 3 h, 2 d. */
export function lasting(seconds, locale) {
  const units = locale === "zh" ? ["秒", "分钟", "小时", "天"] : [" s", " min", " h", " d"];
  if (seconds < 60) return `${Math.max(0, Math.floor(seconds))}${units[0]}`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)}${units[1]}`;
  if (seconds < 86400) return `${Math.floor(seconds / 3600)}${units[2]}`;
  return `${Math.floor(seconds / 86400)}${units[3]}`;
}
