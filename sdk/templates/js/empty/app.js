// What wit/world.wit offers.

export const greetings = {
  greet(name) {
    return `Hello, ${name}!`;
  },
};
