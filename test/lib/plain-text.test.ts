import { expect } from 'chai';
import { cutToBytes, cutToCharacters, plainText } from '../../src/lib/plain-text.ts';

describe('plainText', () => {
  const cases = [
    { text: 'naïve 𝄞', plain: 'naïve 𝄞', why: 'letters of any script stay' },
    {
      text: 'a\r\n\tb\u0000c\u2028d',
      plain: 'a b c d',
      why: 'control characters and line ends become a space',
    },
    { text: '\u001b[2J', plain: ' [2J', why: 'a terminal gets no escape sequence' },
    { text: 'a\u202egnp.exe\u2069', plain: 'agnp.exe', why: 'nothing reverses the order of what is read' },
    { text: '0123456789x', plain: '0123456789…', why: 'it is cut' },
    { text: '𝄞'.repeat(11), plain: `${'𝄞'.repeat(10)}…`, why: 'it is cut between characters' },
    { text: 'a\ud834', plain: 'a\ufffd', why: 'half a character is none' },
  ];
  for (const { text, plain, why } of cases) {
    it(`${JSON.stringify(text)}: ${why}`, () => {
      expect(plainText(text, 10)).to.equal(plain);
    });
  }
});

describe('cutToBytes', () => {
  const cases = [
    { text: '0123456789', cut: '0123456789', why: 'it fits' },
    { text: '0123456789x', cut: '0123456…', why: 'the mark of the cut is part of the limit' },
    { text: 'ääääää', cut: 'äää…', why: 'a character of two bytes is not cut' },
    { text: '𝄞𝄞𝄞', cut: '𝄞…', why: 'a character of four bytes is not cut' },
  ];
  for (const { text, cut, why } of cases) {
    it(`${text}: ${why}`, () => {
      expect(cutToBytes(text, 10)).to.equal(cut);
    });
  }
});

describe('cutToCharacters', () => {
  const cases = [
    { text: '0123456789', cut: '0123456789', why: 'it fits' },
    { text: '𝄞'.repeat(10), cut: '𝄞'.repeat(10), why: 'a character counts once, however long it is' },
    { text: `0${'𝄞'.repeat(10)}`, cut: `0${'𝄞'.repeat(9)}…`, why: 'it is cut between characters' },
  ];
  for (const { text, cut, why } of cases) {
    it(`${text}: ${why}`, () => {
      expect(cutToCharacters(text, 10)).to.equal(cut);
    });
  }
});
