"""The registry of status codes, as vault codes tells it and as the manual has it."""

import os
import re

import program
from suite import SystemTest

PAGE = os.path.join(program.ROOT, "man", "vault-protocol.7")


class Codes(SystemTest):
    def test_the_object_is_described(self):
        codes = self.assertDescribed("codes", self.expect(program.run("codes", "--json")).json)["codes"]
        numbers = [entry["code"] for entry in codes]
        self.assertEqual(numbers, sorted(set(numbers)))
        # A code's first digit is its sender's.
        senders = {1: "director", 2: "file daemon", 3: "storage daemon"}
        for entry in codes:
            self.assertEqual(entry["senders"][0], senders[entry["code"] // 1000])
        self.assertLessEqual({1000, 1999, 2000, 2999, 3000, 3100, 3502, 3503, 3504, 3505, 3999}, set(numbers))

    def test_text_and_manual_say_the_same(self):
        codes = self.expect(program.run("codes", "--json")).json["codes"]
        text = self.expect(program.run("codes")).output.decode()
        self.assertEqual(re.findall(r"^(\d{4})  (.*)$", text, re.M),
                         [(str(entry["code"]), entry["meaning"]) for entry in codes])
        with open(PAGE, encoding="utf-8") as stream:
            page = stream.read()
        for entry in codes:
            self.assertIn(entry["remedy"], text)
            self.assertIn(f".It {entry['code']} Ta {entry['meaning']}\n", page)
            self.assertIn(f".It {entry['code']}\nSent by ", page)
