"""The recurrent language model: its numbers against brute force, its trainings against killed ones, damage named."""

import math
from dataclasses import replace

import pytest
import torch
from toys import random_texts

from asr.errors import ConfigError, LanguageModelError
from asr.lm.words import to_characters
from asr.recurrent_lm import files
from asr.recurrent_lm.network import RecurrentNetwork
from asr.recurrent_lm.settings import RecurrentLMSettings
from asr.recurrent_lm.softmax import TiedSoftmax
from asr.recurrent_lm.stream import Text, num_pieces, pieces
from asr.recurrent_lm.training import Training
from asr.recurrent_lm.vocabulary import LMVocabulary

SENTENCES = [text.split() for text in random_texts(60, 3)] + [["once"]]
DEV = [text.split() for text in random_texts(8, 4)] + [["dc", "never"]]
TINY = RecurrentLMSettings(
    size=8, num_steps=5, batch_size=4, max_epochs=3, learning_rate=0.02, cutoffs=(3, 5), num_layers=2
)


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    folder = tmp_path_factory.mktemp("rnnlm")
    return folder, Training(folder, SENTENCES, DEV, TINY).run()


def random_network(settings=TINY, num_words=7):
    torch.manual_seed(2)
    return RecurrentNetwork(settings, [float(num_words - rank) for rank in range(num_words)]).eval()


def test_a_sentence_is_the_sum_of_its_words_one_after_the_other(trained):
    _, model = trained
    for sentence, scores in zip(DEV, model.score_all(DEV), strict=True):
        state, word, expected = model.network.initial(1), model.eos, []
        for following in model.vocabulary.encode(sentence):
            with torch.no_grad():
                outputs, state = model.network(torch.tensor([[word]]), state)
                log_probs = model.network.softmax.log_probs(outputs[:, 0])[0]
            assert float(log_probs.exp().sum()) == pytest.approx(1, abs=1e-5)
            expected.append(float(log_probs[following]))
            word = following
        assert scores == pytest.approx(expected, abs=1e-5)
        assert model.score(sentence) == pytest.approx(scores, abs=1e-5)


def test_perplexity_leaves_out_what_the_model_does_not_know(trained, tmp_path):
    _, model = trained
    training = Training(tmp_path, SENTENCES, DEV, TINY)
    training.network.load_state_dict(model.network.state_dict())
    known = [
        score
        for sentence, scores in zip(DEV, model.score_all(DEV), strict=True)
        for word, score in zip([*sentence, "</s>"], scores, strict=True)
        if word != "never"
    ]
    assert training.dev_perplexity() == pytest.approx(math.exp(-sum(known) / len(known)), rel=1e-5)


@pytest.mark.parametrize("cell", ["lstm", "gru", "rnn_tanh"])
def test_a_carried_state_is_one_long_pass(cell):
    network = random_network(replace(TINY, cell=cell))
    words = torch.randint(0, 7, (2, 12))
    with torch.no_grad():
        whole, end = network(words, network.initial(2))
        state, parts = network.initial(2), []
        for start in range(0, 12, 5):
            outputs, state = network(words[:, start : start + 5], state)
            parts.append(outputs)
    assert torch.allclose(torch.cat(parts, dim=1), whole, atol=1e-6)
    assert torch.allclose(state, end, atol=1e-6)


@pytest.mark.parametrize("cutoffs", [(), (3,), (2, 4, 6)])
def test_the_adaptive_softmax_is_a_distribution_over_all_words(cutoffs):
    torch.manual_seed(1)
    softmax, hidden, words = TiedSoftmax([1.0] * 9, 16, cutoffs), torch.randn(9, 16), torch.arange(9)
    log_probs = softmax.log_probs(hidden)
    assert torch.allclose(log_probs.exp().sum(1), torch.ones(9), atol=1e-5)
    chosen = softmax.log_probs_of(hidden, words)
    assert torch.allclose(chosen, log_probs[words, words], atol=1e-6)


def test_the_adaptive_softmax_is_torchs_own():
    torch.manual_seed(1)
    ours = TiedSoftmax([1.0] * 9, 16, (3, 5))
    theirs = torch.nn.AdaptiveLogSoftmaxWithLoss(16, 9, [3, 5], div_value=4, head_bias=True)
    with torch.no_grad():
        theirs.head.weight.copy_(torch.cat([ours.tables[0], ours.clusters]))
        theirs.head.bias.copy_(ours.biases[0])
        for rank, tail in enumerate(theirs.tail, 1):
            tail[0].weight.copy_(ours.widening[rank - 1].T)
            tail[1].weight.copy_(ours.tables[rank])
            ours.biases[rank].zero_()  # theirs have none there
        hidden = torch.randn(4, 16)
        assert torch.allclose(ours.log_probs(hidden), theirs.log_prob(hidden), atol=1e-5)


def test_words_begin_with_their_frequencies():
    counts = torch.tensor([8.0, 4.0, 2.0, 1.0, 1.0])
    softmax = TiedSoftmax(counts.tolist(), 8, (2,))
    assert torch.allclose(softmax.log_probs(torch.zeros(1, 8))[0].exp(), counts / 16, atol=1e-6)


def test_tied_weights_are_tied():
    softmax = TiedSoftmax([1.0] * 6, 8, (4,))
    hidden = torch.ones(1, 8)
    for word in (1, 5):
        vector, log_probs = softmax.vectors(torch.tensor([word])), softmax.log_probs(hidden)
        rank, place = (0, word) if word < 4 else (1, word - 4)
        with torch.no_grad():
            softmax.tables[rank][place] += 0.5
        assert not torch.allclose(softmax.vectors(torch.tensor([word])), vector)
        assert softmax.log_probs(hidden)[0, word] != log_probs[0, word]
    assert sum(weight.numel() for weight in softmax.tables) == 4 * 8 + 2 * 2


def test_a_dropped_unit_is_dropped_at_all_steps():
    network = random_network(replace(TINY, weight_dropout=0.0, word_dropout=0.0)).train()
    outputs, _ = network(torch.randint(0, 7, (3, 9)), network.initial(3))
    is_dropped = (outputs == 0).any(dim=1)
    assert is_dropped.any()
    assert torch.equal(is_dropped, (outputs == 0).all(dim=1))


def test_an_epoch_is_one_stream_of_all_sentences():
    vocabulary = LMVocabulary.build(SENTENCES, TINY)
    text = Text(SENTENCES, vocabulary, replace(TINY, unknown=0.0))
    row = text.epoch(1)
    assert sorted(row[1:]) == sorted(rank for words in SENTENCES for rank in vocabulary.encode(words))
    assert (row == text.epoch(1)).all()
    assert (row != text.epoch(2)).any()
    ordered = Text(SENTENCES, vocabulary, replace(TINY, shuffle=False, unknown=1.0)).epoch(0)
    assert ordered[1 : len(SENTENCES[0]) + 2].tolist() == vocabulary.encode(SENTENCES[0])
    assert ordered[-2:].tolist() == [0, 1]  # the word seen once is an unknown one
    found = list(pieces(row, TINY))
    assert len(found) == num_pieces(text.num_words, TINY)
    words, following = (torch.cat(parts, dim=1) for parts in zip(*found, strict=True))
    assert torch.equal(words[:, 1:], following[:, :-1])
    assert words.flatten().tolist() == row[: words.numel()].tolist()


def test_histories_are_kept_and_change_nothing(trained):
    _, model = trained
    asked = model.open()
    for sentence, scores in zip(DEV[:4], model.score_all(DEV[:4]), strict=True):
        state, kept = asked.bos_state, []
        for word in model.vocabulary.encode(sentence):
            # In company, and once more, out of memory.
            (log_prob, after), _ = asked.advance_all([state, state], [word, 2])
            assert asked.advance_all([state], [word]) == [(log_prob, after)]
            kept.append(log_prob)
            state = after
        assert kept == pytest.approx(scores, abs=1e-5)


def test_saving_and_loading_gives_the_same_bits(trained, tmp_path):
    folder, model = trained
    files.copy(folder, tmp_path / "copy")
    assert sorted(path.name for path in (tmp_path / "copy").iterdir()) == sorted(
        (files.SETTINGS, files.WORDS, files.WEIGHTS)
    )
    again = files.load(tmp_path / "copy")
    assert again.score_all(DEV) == model.score_all(DEV)
    assert (again.settings, again.words) == (model.settings, model.words)
    assert not [path for path in folder.iterdir() if "partial" in path.name]


@pytest.mark.parametrize("last", [(0, 2), (1, 1), (2, 0)])
def test_a_killed_training_ends_with_the_weights_of_one_that_was_not(trained, tmp_path, last):
    def killed(progress):
        if (progress.epoch, progress.piece) > last:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        Training(tmp_path, SENTENCES, DEV, TINY, save_seconds=0).run(killed)
    resumed = Training(tmp_path, SENTENCES, DEV, TINY)
    assert resumed.progress.epoch + resumed.progress.piece > 0
    resumed.run()
    for name in (files.WEIGHTS, files.STATE):
        ours, theirs = (files.load_tensors(folder / name)[0] for folder in (tmp_path, trained[0]))
        assert ours.keys() == theirs.keys()
        assert all(torch.equal(ours[key], theirs[key]) for key in ours)


def test_other_seeds_are_other_trainings(trained, tmp_path):
    other = Training(tmp_path, SENTENCES, DEV, replace(TINY, seed=2)).run()
    assert other.score_all(DEV) != trained[1].score_all(DEV)


def test_a_stalled_training_goes_back_to_its_best_weights_and_ends(tmp_path):
    wild = replace(TINY, learning_rate=2.0, max_drops=1, max_epochs=50)
    training = Training(tmp_path, SENTENCES, DEV, wild)
    training.run()
    assert training.progress.drops == 2
    assert training.progress.epoch < 50
    assert training.progress.best == min(dev for _, dev in training.progress.history)
    assert training.dev_perplexity() == pytest.approx(training.progress.best)


def test_a_text_that_repeats_is_learnt(tmp_path):
    text = [["ab", "cd"], ["bad", "dc"]] * 40
    plain = replace(
        TINY, dropout=0.0, weight_dropout=0.0, word_dropout=0.0, max_epochs=12, learning_rate=0.05
    )
    model = Training(tmp_path, text, text[:2], plain).run()
    scores = model.score(["ab", "cd"])
    assert scores[0] == pytest.approx(math.log(0.5), abs=0.3)
    assert scores[1:] == pytest.approx([0, 0], abs=0.1)


def test_a_model_of_characters_scores_words_by_their_letters(tmp_path):
    spelled = [to_characters(words) for words in SENTENCES]
    settings = replace(TINY, unit="characters", max_epochs=1, cutoffs=())
    model = Training(tmp_path, spelled, spelled[:5], settings).run()
    assert model.is_characters
    (scores,) = model.score_words([["bad", "ab"]])
    letters = model.score(to_characters(["bad", "ab"]))
    assert scores == pytest.approx([sum(letters[:4]), sum(letters[4:6]), letters[6]])
    assert model.score_words([[]]) == [pytest.approx(model.score([]))]


@pytest.mark.parametrize(("text", "dev"), [([], DEV), ([[]], DEV), (SENTENCES, []), (SENTENCES[:1], [[]])])
def test_nothing_to_train_with_is_a_sentence(tmp_path, text, dev):
    with pytest.raises(LanguageModelError, match="no text to train and judge"):
        Training(tmp_path, text, dev, TINY)


@pytest.mark.parametrize(
    ("unit", "word"), [("words", "<unk>"), ("words", "</s>"), ("words", "<space>"), ("characters", "<s>")]
)
def test_a_word_that_means_something_else_in_a_model_is_refused_before_training(tmp_path, unit, word):
    with pytest.raises(LanguageModelError, match=f"The text holds {word}, which has a meaning"):
        Training(tmp_path, [*SENTENCES, ["ab", word]], DEV, replace(TINY, unit=unit, cutoffs=()))


@pytest.mark.parametrize("clip_norm", [0.0, 5.0])
def test_a_training_that_diverges_is_a_sentence(tmp_path, clip_norm):
    wild = replace(TINY, learning_rate=1e30, clip_norm=clip_norm, num_steps=2, batch_size=1)
    with pytest.raises(LanguageModelError, match=r"the training diverges.*take a smaller learning_rate"):
        Training(tmp_path, SENTENCES, DEV, wild).run()


def test_one_line_is_enough(tmp_path):
    model = Training(tmp_path, SENTENCES[:1], DEV[:1], TINY).run()
    assert math.isfinite(sum(model.score(SENTENCES[0])))


def test_another_text_in_the_same_folder_is_refused(trained):
    with pytest.raises(LanguageModelError, match="other texts or settings"):
        Training(trained[0], SENTENCES[1:], DEV, TINY)
    assert Training(trained[0], SENTENCES, DEV, replace(TINY, max_epochs=9)).progress.epoch == 3


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        (files.SETTINGS, None, "no recurrent language model"),
        (files.SETTINGS, "format_version: 2\n", "format 2 is unknown"),
        (files.SETTINGS, "format_version: 1\nsizes: 8\n", "sizes is no setting; did you mean size"),
        (files.SETTINGS, "format_version: 1\nsize: 65000\n", "does not fit"),
        (files.WORDS, None, "words cannot be read"),
        (files.WORDS, "", "no words of a model"),
        (files.WORDS, "<unk>\t1\n</s>\t2\nab\n", "words cannot be read"),
        (files.WORDS, "<unk>\t1\n</s>\t2\nab\t3\n", "does not fit"),
        (files.WEIGHTS, None, "copy the language model again"),
        (files.WEIGHTS, "weights", "copy the language model again"),
    ],
)
def test_a_damaged_directory_is_a_sentence(trained, tmp_path, name, content, message):
    files.copy(trained[0], tmp_path / "model")
    path = tmp_path / "model" / name
    path.unlink()
    if content is not None:
        path.write_text(content)
    with pytest.raises(LanguageModelError, match=message) as caught:
        files.load(tmp_path / "model")
    assert str(tmp_path / "model") in str(caught.value)


def test_weights_that_are_no_numbers_are_refused(trained, tmp_path):
    files.copy(trained[0], tmp_path / "model")
    path = tmp_path / "model" / files.WEIGHTS
    tensors, _ = files.load_tensors(path)
    tensors["softmax.clusters"][0, 0] = math.nan
    files.save_tensors(path, tensors)
    with pytest.raises(LanguageModelError, match="damaged"):
        files.load(tmp_path / "model")


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"unit": "letters"}, "unit='letters'"),
        ({"cell": "lsm"}, "cell='lsm'"),
        ({"size": 0}, "size=0"),
        ({"dropout": 1.0}, "dropout=1.0"),
        ({"cutoffs": (5, 3)}, "must be ranks"),
        ({"learning_rate": 0.0}, "learning_rate"),
        ({"drop": 1.0}, "drop"),
        ({"max_words": 0}, "max_words"),
    ],
)
def test_settings_that_make_no_sense_are_refused(settings, message):
    with pytest.raises(ConfigError, match=message):
        RecurrentLMSettings(**settings)
