#!/usr/bin/env python3
"""Writes the sources of a large program: eight C files of functions that call each other.

    generate.py FOLDER

The functions are made of what compilers make of real programs: arithmetic, loops, switches, loads
and stores, direct and indirect calls. All of them are reachable, through a table, so nothing is
left out. The same bytes come out every time.
"""

import os
import random
import sys

PARTS = 8
FUNCTIONS_PER_PART = 1_280
STEPS_PER_FUNCTION = 34


def step(chance, index):
    a, b, c = (f"v[{which}]" for which in chance.sample(range(8), 3))
    number = chance.randrange(1, 1 << 31)
    kind = chance.randrange(10)
    if kind < 3:
        return f"{a} = ({b} ^ {number}u) * {chance.randrange(3, 999)}u + {c};"
    if kind == 3:
        return f"for (u i = 0; i < ({b} & 7); ++i) {a} += {c} >> (i & 31);"
    if kind == 4:
        cases = " ".join(f"case {n}: {a} ^= {b} + {chance.randrange(1 << 20)}u; break;"
                         for n in range(4))
        return f"switch ({c} & 3) {{ {cases} }}"
    if kind == 5:
        return f"memory[({a} + {chance.randrange(4096)}u) & 4095] = {b}; {c} -= memory[{b} & 4095];"
    if kind == 6:
        return f"if ({a} < {b}) {{ {c} = {c} * 31u + {number}u; }} else {{ {a} ^= {c}; }}"
    if kind == 7:
        scale = f"{chance.random():.6f}"
        return f"{{ double d = (double){a} * {scale}; {b} += (u)(d < 4e9 ? d : 1.0); }}"
    if kind == 8 and index > 4:
        return f"if (depth) {a} += f{chance.randrange(max(0, index - 400), index)}({b}, depth - 1);"
    return f"if (depth) {a} ^= big_table[{b} % big_count]({c}, depth - 1);"


def main():
    folder = sys.argv[1]
    os.makedirs(folder, exist_ok=True)
    chance = random.Random(13)
    count = PARTS * FUNCTIONS_PER_PART
    for part in range(PARTS):
        own = range(part * FUNCTIONS_PER_PART, (part + 1) * FUNCTIONS_PER_PART)
        lines = ["typedef unsigned u;", "typedef u (*F)(u, u);", "extern u memory[4096];",
                 f"enum {{ big_count = {count} }};", "extern F const big_table[big_count];"]
        lines += [f"u f{index}(u, u);" for index in range(max(0, own[0] - 400), own[-1] + 1)]
        for index in own:
            lines.append(f"__attribute__((noinline)) u f{index}(u x, u depth) {{")
            lines.append("  u v[8] = {x, x ^ 1, x + 2, x * 3, ~x, x >> 5, x << 6, 7};")
            lines += [f"  {step(chance, index)}" for _ in range(STEPS_PER_FUNCTION)]
            lines.append("  return v[0] ^ v[1] ^ v[2] ^ v[3] ^ v[4] ^ v[5] ^ v[6] ^ v[7];\n}")
        if part == PARTS - 1:
            lines += [f"u f{index}(u, u);" for index in range(count)]
            lines.append("u memory[4096];")
            names = ", ".join(f"f{index}" for index in range(count))
            lines.append(f"F const big_table[big_count] = {{{names}}};")
            lines.append("u big_run(u first, u count) {\n  u sum = 0;\n"
                         "  for (u i = 0; i < count; ++i)\n"
                         "    sum += big_table[(first + i) % big_count](i, 2);\n  return sum;\n}")
        with open(os.path.join(folder, f"part{part}.c"), "w", encoding="ascii") as out:
            out.write("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
