// Compiles TokenizedStock.sol and writes TokenizedStock.json beside it, or to the path given.
//
// The same source and the same lock file give the same bytes: the compiler is pinned, every import
// is a file of a pinned package, and the settings are part of the result.

import { createHash } from "node:crypto";
import { readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

import solc from "solc";

const FOLDER = dirname(fileURLToPath(import.meta.url));
const CONTRACT = "TokenizedStock";
const SOURCE = `${CONTRACT}.sol`;

const settings = {
  evmVersion: "cancun",
  metadata: { bytecodeHash: "ipfs" },
  optimizer: { enabled: true, runs: 200 },
};

const source = readFileSync(join(FOLDER, SOURCE), "utf8");

function readImport(path) {
  try {
    return { contents: readFileSync(join(FOLDER, "node_modules", path), "utf8") };
  } catch (error) {
    return { error: error.message };
  }
}

const input = {
  language: "Solidity",
  sources: { [SOURCE]: { content: source } },
  settings: {
    ...settings,
    outputSelection: { [SOURCE]: { [CONTRACT]: ["abi", "evm.bytecode.object", "evm.deployedBytecode.object"] } },
  },
};

const output = JSON.parse(solc.compile(JSON.stringify(input), { import: readImport }));
// A warning about our own source counts as an error; those about a package are its authors' affair.
const complaints = (output.errors ?? []).filter(
  ({ severity, sourceLocation }) => severity === "error" || sourceLocation?.file === SOURCE,
);
if (complaints.length > 0) {
  for (const { formattedMessage } of complaints) {
    console.error(formattedMessage);
  }
  process.exit(1);
}

const { abi, evm } = output.contracts[SOURCE][CONTRACT];
const artifact = {
  contract: CONTRACT,
  compiler: solc.version(),
  settings,
  sourceSha256: createHash("sha256").update(source).digest("hex"),
  abi,
  bytecode: `0x${evm.bytecode.object}`,
  deployedBytecode: `0x${evm.deployedBytecode.object}`,
};
writeFileSync(process.argv[2] ?? join(FOLDER, `${CONTRACT}.json`), `${JSON.stringify(artifact, null, 2)}\n`);
