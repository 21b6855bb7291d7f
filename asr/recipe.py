"""What the recipes' prepare.py and run.py share.

Options, the corpus fetched or found, utterances, manifests, the loop over seeds, n-grams, the last words of a failure.
"""

import argparse
import itertools
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console
from rich.progress import Progress

from asr.corpus.build import Corpus, collect
from asr.corpus.items import Item
from asr.download import Archive, fetch
from asr.errors import AsrError, ManifestError
from asr.lm import arpa, kneser_ney
from asr.lm.words import SPACE, to_characters
from asr.manifest import Utterance, read_manifest, write_manifest
from asr.text import TextSettings, normalize
from asr.wording import file_trouble

if TYPE_CHECKING:
    from asr.experiment import Trial


Prepare = Callable[[Path, Path], dict[str, Path]]
"""From a corpus's folder and the folder to write to, to the manifest of each set."""


def data_options(description: str, name: str) -> argparse.ArgumentParser:
    """``--output-dir``."""
    parser = argparse.ArgumentParser(
        description=description, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--output-dir", type=Path, default=Path("data") / name, help="default: %(default)s")
    return parser


def prepare_options(
    description: str, name: str, corpus: str, archives: Sequence[Archive] = ()
) -> argparse.ArgumentParser:
    """``--corpus-dir``, which is ``corpus``, and ``--output-dir``; with archives, the first may be left out."""
    parser = data_options(description, name)
    otherwise = "; without it, the corpus is downloaded" if archives else ""
    parser.add_argument("--corpus-dir", type=Path, required=not archives, help=corpus + otherwise)
    if archives:
        parser.add_argument("--download-dir", type=Path, help="default: download/ in --output-dir")
    parser.set_defaults(archives=archives)
    return parser


def run_options(
    description: str, name: str, corpus: str, archives: Sequence[Archive] = ()
) -> argparse.ArgumentParser:
    """What prepare.py takes, and ``training_options``; to be parsed with ``parse_options``."""
    return training_options(prepare_options(description, name, corpus, archives), name)


def training_options(parser: argparse.ArgumentParser, name: str) -> argparse.ArgumentParser:
    """``--run-dir``, ``--seeds`` and settings; to be parsed with ``parse_options``."""
    parser.add_argument("--run-dir", type=Path, default=Path("runs") / name, help="default: %(default)s")
    parser.add_argument("--seeds", type=int, nargs="+", default=[1], help="one training each")
    parser.add_argument("overrides", nargs="*", help="settings, as trainer.max_epochs=20")
    return parser


def lm_options(parser: argparse.ArgumentParser) -> argparse.ArgumentParser:
    """``--ljspeech`` and ``--lm-text``: texts for the language model besides those of the training set."""
    parser.add_argument(
        "--ljspeech", type=Path, metavar="METADATA", help="metadata.csv, whose texts the LM gets"
    )
    parser.add_argument("--lm-text", type=Path, nargs="+", default=[], help="more texts, a sentence a line")
    return parser


def parse_options(parser: argparse.ArgumentParser) -> argparse.Namespace:
    """The options of the command line; settings go to ``overrides``, wherever they stand.

    argparse would give those behind an option of several values, as ``--seeds 1 2``, to that option.
    """
    # Hydra takes a second to import, which preparing does not wait for.
    from asr.config import groups, setting_keys

    names = {*groups(), *setting_keys()}
    settings = [one for one in sys.argv[1:] if "=" in one and one.partition("=")[0] in names]
    options = parser.parse_intermixed_args([one for one in sys.argv[1:] if one not in settings])
    options.overrides = [*options.overrides, *settings]
    return options


def lm_texts(options: argparse.Namespace) -> list[str]:
    """The sentences of the training set, as prepare.py wrote them, and of what ``lm_options`` were given.

    Raises:
        ManifestError: a file cannot be read.
    """
    lines = [
        line for path in (options.output_dir / "train.txt", *options.lm_text) for line in read_lines(path)
    ]
    if options.ljspeech:
        # The last column has the numbers written out.
        lines += [line.rsplit("|", 1)[-1] for line in read_lines(options.ljspeech)]
    return lines


def find_corpus(options: argparse.Namespace) -> Path:
    """The folder that was given, or the one that ``options.archives`` are then downloaded to.

    Raises:
        DownloadError: as ``fetch``.
    """
    if options.corpus_dir is not None:
        return Path(options.corpus_dir)
    folder = Path(options.download_dir or options.output_dir / "download")
    fetch(options.archives, folder)
    return folder


def locate(corpus_dir: Path, *needed: str, home: str) -> Path:
    """The folder that holds all that is needed: the one given, or one at most two levels inside.

    Raises:
        ManifestError: there is none.
    """
    levels = ([corpus_dir], corpus_dir.glob("*/"), corpus_dir.glob("*/*/"))
    # Lazily: the deepest level of a large corpus takes seconds to list.
    for folder in itertools.chain.from_iterable(map(sorted, levels)):
        if all((folder / name).exists() for name in needed):
            return folder
    raise ManifestError(
        f"{corpus_dir}: no {' and '.join(needed)} in it; get the corpus from {home} and unpack it."
    )


def gather(items: Iterable[Item], folders: Sequence[Path]) -> list[Utterance]:
    """The utterances that a corpus states, with their durations, sorted by recording and time.

    What cannot be used is left out, and stderr says how many entries that are, and why the first is.
    """
    console = Console(stderr=True)
    with Progress(console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task("opening recordings", total=None)
        built = collect(
            Corpus(items, folders),
            progress=lambda done, total: bar.update(task, completed=done, total=total),
        )
    if built.problems:
        print(f"{len(built.problems)} entries are left out; the first: {built.problems[0]}", file=sys.stderr)
    return built.utterances


def write_sets(
    output_dir: Path, sets: Mapping[str, Sequence[Utterance]], texts: Iterable[str] = ()
) -> dict[str, Path]:
    """Write ``<set>.jsonl`` for each set, and for those in ``texts`` also ``<set>.txt``, a transcript a line.

    Raises:
        ManifestError: a set has no utterance, or cannot be written there.
    """
    paths = {name: Path(output_dir) / f"{name}.jsonl" for name in sets}
    for name, utterances in sets.items():
        if not utterances:
            raise ManifestError(f"{paths[name]}: no utterance falls into it; get the rest of the corpus.")
        write_manifest(paths[name], utterances)
    for name in texts:
        lines = "".join(f"{utterance.text}\n" for utterance in sets[name])
        paths[name].with_suffix(".txt").write_text(lines, encoding="utf-8")
    return paths


def attempt(name: str, work: Callable[[], int]) -> int:
    """The exit code of some work; what goes wrong is one sentence and exit code 1."""
    try:
        return work()
    except AsrError as error:
        print(f"{name}: {error}", file=sys.stderr)
        return 1
    except OSError as error:
        print(f"{name}: {file_trouble(error)}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print(f"{name}: interrupted; the same command goes on where it was stopped.", file=sys.stderr)
        return 130


def print_sets(paths: Mapping[str, Path]) -> int:
    """One line a set: utterances, minutes, manifest."""
    for name, path in paths.items():
        utterances = read_manifest(path)
        minutes = sum(utterance.duration for utterance in utterances) / 60
        print(f"{name:14} {len(utterances):5} utterances {minutes:6.1f} min  {path}")
    return 0


def prepare_only(options: argparse.Namespace, name: str, prepare: Prepare) -> int:
    """What a prepare.py does: find the corpus, prepare it, print its sets; the exit code."""
    return attempt(name, lambda: print_sets(prepare(find_corpus(options), options.output_dir)))


def run_plainly(script: str, options: argparse.Namespace, prepare: Prepare) -> int:
    """What a run.py does that has nothing of its own: prepare, train on train, score every test, print; the exit code.

    With a trigram of the texts where ``lm_options`` are among the options.
    """
    name = Path(script).parent.name

    def work() -> int:
        from asr.experiment import conclude

        sets = prepare(find_corpus(options), options.output_dir)
        texts = lm_texts(options) if "lm_text" in options else []
        lm = build_ngram(texts, options.output_dir / "lm.arpa.gz") if texts else None
        data = {part: sets[part] for part in ("train", "dev", "test")}
        tests = {part: path for part, path in sets.items() if part.startswith("test")}
        return conclude(script, options.run_dir, run_seeds(name, options, data, tests, lm))

    return attempt(name, work)


def run_seeds(
    recipe: str,
    options: argparse.Namespace,
    data: Mapping[str, Path],
    tests: Mapping[str, Path],
    lm: Path | None = None,
) -> "list[Trial]":
    """A trial for each of ``options.seeds``; ``data`` has the manifests of train, dev and test.

    Raises:
        AsrError: as ``run_trial``.
    """
    # Training takes seconds to import, which preparing does not wait for.
    from asr.experiment import run_trial

    return [
        run_trial(str(seed), seed_overrides(recipe, options, data, seed), tests, lm) for seed in options.seeds
    ]


def seed_overrides(
    recipe: str, options: argparse.Namespace, data: Mapping[str, Path], seed: int, prefix: str = ""
) -> list[str]:
    """The settings of one seed's training, whose run directory's name begins with ``prefix``."""
    return [
        f"recipe={recipe}",
        *(f"data.{name}={path}" for name, path in data.items()),
        f"seed={seed}",
        f"run_dir={options.run_dir}/{prefix}seed{seed}",
        *options.overrides,
    ]


def build_ngram(
    lines: Iterable[str],
    output: Path,
    order: int = 3,
    *,
    prune: Sequence[int] = (0,),
    characters: bool = False,
    text: TextSettings = TextSettings(),
) -> Path:
    """Write the n-gram of sentences, as transcripts write them; discounts fall back where the text is small.

    ``prune`` is that of ``kneser_ney.build``.

    One of ``characters`` knows the space even where no text has one, for by the space it is told from one of words.

    Raises:
        LanguageModelError: there is no sentence, or it cannot be written there.
    """
    sentences: Iterable[list[str]] = (words for line in lines if (words := normalize(line, text).split()))
    if characters:
        sentences = itertools.chain(map(to_characters, sentences), [[SPACE]])
    arpa.write(output, kneser_ney.build(sentences, order, prune, discount_fallback=kneser_ney.FALLBACK))
    return output


def read_lines(path: Path) -> list[str]:
    """The lines of a text.

    Raises:
        ManifestError: it cannot be read.
    """
    try:
        return path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise ManifestError(f"{path}: the text cannot be read ({error}); check the path.") from None
