// Change this text while the page is open: it is replaced in place, and the chat stays connected.
export const greeting = 'Edit src/greeting.js and watch this line.';
