import ArgumentParser

/// A command that only holds others: named alone it is wrong usage, answered with the list of what it holds.
protocol CommandGroup: ParsableCommand {}
