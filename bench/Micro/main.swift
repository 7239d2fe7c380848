// VaultBench: single parts of the program by themselves, each driven as the program drives it. What it measures goes to
// standard output, a JSON object a line; bench/micro.py calls it and sets the figures beside the machine's limits.

import Glibc
import VaultModel

let usage = """
  usage: VaultBench walk DIRECTORY | data FILE | blocks DIRECTORY MEBIBYTES [buffered] | stream MEBIBYTES
         VaultBench load-sqlite FILE ROWS | load-postgresql SOCKETS PORT USER DATABASE ROWS
         VaultBench seed SOCKETS PORT USER DATABASE | queries SOCKETS PORT USER DATABASE DIRECTORIES FILES

  """

func fail(_ message: String, _ status: Int32) -> Never {
  _ = write(STDERR_FILENO, message, message.utf8.count)
  exit(status)
}

func count(_ word: String) -> Int {
  guard let number = Int(word), number > 0 else { fail("\(word) is no number above 0\n", 2) }
  return number
}

let words = Array(CommandLine.arguments.dropFirst())
do {
  switch (words.first, words.count) {
  case ("walk", 2): try WalkMeasurement.run(ByteString(words[1]))
  case ("data", 2): try DataMeasurement.run(ByteString(words[1]))
  case ("blocks", 3),
    ("blocks", 4) where words.last == "buffered":
    try BlockMeasurement.run(
      ByteString(words[1]), mebibyteCount: count(words[2]), isBuffered: words.last == "buffered")
  case ("stream", 2): try StreamMeasurement.run(mebibyteCount: count(words[1]))
  case ("load-sqlite", 3): try CatalogMeasurement.loadSQLite(ByteString(words[1]), rowCount: count(words[2]))
  case ("load-postgresql", 6):
    try CatalogMeasurement.load(ServerPlace(words[1...4]).open(), "catalog load, PostgreSQL", rowCount: count(words[5]))
  case ("seed", 5): try CatalogMeasurement.seed(ServerPlace(words[1...4]).open())
  case ("queries", 7):
    let size = QueryMeasurement.Size(directoryCount: count(words[5]), fileCount: count(words[6]))
    try QueryMeasurement.run(ServerPlace(words[1...4]).open(), size)
  default: fail(usage, 2)
  }
} catch {
  fail("\(error)\n", 1)
}
