"""What the load balancer under qemu is made of: archive, modules, libraries, kernel package, and ways to start it."""

from __future__ import annotations

import lzma
import os
import shutil
import stat
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_kubelb.errors import TestbedError
from pytest_kubelb.lab import initramfs, qemu, qemu_install, qemu_kernel, qemu_root, requirements
from pytest_kubelb.lab.guest import Guest, Way
from pytest_kubelb.lab.initramfs import Entry

NAMES = st.text("abcxyz-._0", min_size=1, max_size=12).filter(lambda name: name.strip(".") != "")
FILES = st.dictionaries(
    st.lists(NAMES, min_size=1, max_size=3).map("/".join), st.binary(max_size=40), max_size=6
)


def unpacked(content: bytes, folder: Path) -> Path:
    """Unpack an archive with a program that is not ours."""
    busybox = shutil.which("busybox", path=requirements.search_path())
    if busybox is None:
        pytest.skip("no busybox here to unpack the archive with")
    subprocess.run([busybox, "cpio", "-i", "-d"], input=content, cwd=folder, check=True, capture_output=True)
    return folder


def test_an_archive_unpacks_to_its_files_folders_and_links(tmp_path: Path) -> None:
    entries = [
        initramfs.folder("/var/spool", 0o1777),
        initramfs.file("/usr/sbin/tool", b"#!/bin/sh\n", 0o755),
        initramfs.file("etc/secret", b"odd", 0o600),
        initramfs.link("/bin/sh", "/usr/sbin/tool"),
        initramfs.file("etc/secret", b"a second one of that name", 0o644),
    ]
    root = unpacked(initramfs.archive(entries), tmp_path)
    assert stat.S_IMODE((root / "var/spool").stat().st_mode) == 0o1777
    assert stat.S_IMODE((root / "usr/sbin/tool").stat().st_mode) == 0o755
    assert (root / "etc/secret").read_bytes() == b"odd"
    assert stat.S_IMODE((root / "etc/secret").stat().st_mode) == 0o600
    assert str((root / "bin/sh").readlink()) == "/usr/sbin/tool"


@given(FILES)
def test_every_record_is_aligned_and_every_folder_comes_before_what_is_in_it(files: dict[str, bytes]) -> None:
    content = initramfs.archive(initramfs.file(path, data) for path, data in files.items())
    seen: dict[str, bytes] = {}
    offset = 0
    while True:
        assert content[offset : offset + 6] == b"070701"
        fields = [int(content[offset + 6 + 8 * n : offset + 14 + 8 * n], 16) for n in range(13)]
        size, name_size = fields[6], fields[11]
        name = content[offset + 110 : offset + 110 + name_size - 1].decode()
        data = -(-(offset + 110 + name_size) // 4) * 4
        offset = -(-(data + size) // 4) * 4
        if name == "TRAILER!!!":
            break
        assert name not in seen
        assert all(str(parent) in seen for parent in Path(name).parents if str(parent) != ".")
        seen[name] = content[data : data + size]
    assert offset == len(content)
    assert all(
        seen[path] == data for path, data in files.items() if not any(p.startswith(path + "/") for p in files)
    )


def test_two_archives_after_one_another_are_one_for_the_kernel() -> None:
    assert len(initramfs.archive([Entry("a", stat.S_IFREG, b"x")])) % 4 == 0


def module_tree(folder: Path) -> Path:
    """A folder of modules: nic needs bus and lib, lib needs crc, which is built in."""
    (folder / "kernel/net").mkdir(parents=True)
    (folder / "kernel/net/virtio_nic.ko").write_bytes(
        b"\x7fELF\0license=GPL\0depends=virtio-bus,lib\0name=x\0"
    )
    (folder / "kernel/virtio-bus.ko").write_bytes(b"\x7fELF\0depends=\0")
    (folder / "kernel/lib.ko.xz").write_bytes(lzma.compress(b"\x7fELF\0depends=crc,virtio_bus\0"))
    (folder / "modules.builtin").write_text("kernel/crypto/crc.ko\n")
    return folder


def test_modules_are_loaded_after_what_they_depend_on_and_built_in_ones_not_at_all(tmp_path: Path) -> None:
    order = qemu_kernel.module_order(module_tree(tmp_path), ["crc", "virtio_nic", "lib"])
    assert [path.name for path in order] == ["virtio-bus.ko", "lib.ko.xz", "virtio_nic.ko"]
    assert qemu_kernel.read_module(order[1]).startswith(b"\x7fELF")


def test_a_module_that_the_kernel_does_not_have_is_named(tmp_path: Path) -> None:
    with pytest.raises(TestbedError) as caught:
        qemu_kernel.module_order(module_tree(tmp_path), ["ip_vs"])
    assert str(caught.value) == (
        f"the kernel in {tmp_path} has no module ip_vs; run `kubelb lab install --kernel qemu` anew"
    )


@given(st.lists(st.from_regex(r"[a-z][a-z0-9_]{0,9}", fullmatch=True), max_size=5), st.binary(max_size=30))
def test_what_a_module_depends_on_is_read_from_anywhere_in_it(names: list[str], before: bytes) -> None:
    content = before.replace(b"depends=", b"") + b"\0depends=" + ",".join(names).encode() + b"\0"
    assert qemu_kernel.depends_of(content) == names


def test_libraries_are_read_from_what_ldd_prints() -> None:
    text = (
        "/usr/sbin/ip:\n\tlinux-vdso.so.1 (0x00007ffd)\n"
        "\tlibmnl.so.0 => /lib/x86_64-linux-gnu/libmnl.so.0 (0x00007f1)\n"
        "\t/lib64/ld-linux-x86-64.so.2 (0x00007f2)\n"
        "/usr/bin/busybox:\n\tnot a dynamic executable\n"
        "/usr/sbin/nft:\n\tlibmnl.so.0 => /lib/x86_64-linux-gnu/libmnl.so.0 (0x00007f3)\n"
    )
    assert qemu_root.parse_ldd(text) == [
        Path("/lib/x86_64-linux-gnu/libmnl.so.0"),
        Path("/lib64/ld-linux-x86-64.so.2"),
    ]


def test_a_library_that_is_not_there_is_an_error_before_anything_boots() -> None:
    with pytest.raises(TestbedError, match=r"^this machine's programs lack libmnl\.so\.0: reinstall"):
        qemu_root.parse_ldd("\tlibmnl.so.0 => not found\n")


@given(
    st.lists(
        st.sampled_from(["\t", "/lib/a b", " => ", "(0x1)", "libc.so", "not found", "\n", " "]), max_size=12
    )
)
def test_any_text_for_that_of_ldd_is_read_or_refused_in_one_sentence(parts: list[str]) -> None:
    said = ""
    try:
        paths = qemu_root.parse_ldd("".join(parts))
    except TestbedError as error:
        paths, said = [], str(error)
    assert all(path.is_absolute() for path in paths)
    assert "\n" not in said


def test_the_root_has_a_shell_sshd_and_the_modules_in_order(tmp_path: Path) -> None:
    kernel = qemu_kernel.unpacked(qemu_kernel.FOLDER)
    if kernel is None or requirements.missing(requirements.needed("qemu")):
        pytest.skip("kubelb lab install --kernel qemu has not been run here")
    packed = qemu_root.pack(kernel, "#!/bin/sh\n", requirements.search_path())
    root = unpacked(packed, tmp_path)
    said = subprocess.run(["chroot", root, "/bin/sh", "-c", "ip -V; ipvsadm --version; awk 'BEGIN{print 6*7}'"],
                          capture_output=True, text=True, check=True).stdout  # fmt: skip
    assert said.startswith("ip utility, iproute2-")  # and not that of busybox
    assert "42" in said.splitlines()
    order = (root / "lib/modules/order").read_text().split()
    assert all((root / place.lstrip("/")).is_file() for place in order)
    assert order.index("/lib/modules/ip_vs.ko") < order.index("/lib/modules/ip_vs_rr.ko")


def deb(folder: Path, *files: str) -> Path:
    """Build a Debian package of these (empty) files; gives the package's file."""
    if shutil.which("dpkg-deb") is None:
        pytest.skip("no dpkg-deb here")
    (folder / "DEBIAN").mkdir(parents=True)
    (folder / "DEBIAN/control").write_text(
        "Package: linux-image-6.1.0-1-cloud-amd64\nVersion: 1\nArchitecture: all\nMaintainer: x <x@x>\nDescription: x\n"
    )
    for name in files:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()
    archive = folder.with_suffix(".deb")
    subprocess.run(["dpkg-deb", "--build", folder, archive], check=True, capture_output=True)
    return archive


@pytest.fixture
def apt(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A PATH whose apt-cache and apt-get are scripts; apt-get downloads `package.deb` of the folder that is given."""
    folder = tmp_path / "bin"
    folder.mkdir()
    scripts = {
        "apt-cache": f"cat {tmp_path}/depends",
        "apt-get": f"cp {tmp_path}/package.deb .",
    }
    for name, script in scripts.items():
        (folder / name).write_text(f"#!/bin/sh\n{script}\n")
        (folder / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")
    (tmp_path / "depends").write_text("linux-image-cloud-amd64\n  Depends: linux-image-6.1.0-1-cloud-amd64\n")
    return tmp_path


@pytest.mark.parametrize("modules", ["lib/modules/6.1", "usr/lib/modules/6.1"])
def test_the_kernel_is_unpacked_into_our_folder_in_place_of_an_older_one(apt: Path, modules: str) -> None:
    deb(apt / "package", "boot/vmlinuz-6.1", f"{modules}/kernel/a.ko", "usr/share/doc/x/copyright")
    folder = apt / "var/kernel"
    (folder / "old").mkdir(parents=True)
    assert qemu_install.unpack_kernel(folder) == "linux-image-6.1.0-1-cloud-amd64"
    assert qemu_kernel.unpacked(folder) == qemu_kernel.DebianKernel(
        folder / "boot/vmlinuz-6.1", folder / modules
    )
    assert not (folder / "old").exists()
    assert not (folder / "usr/share").exists()
    assert [path.name for path in folder.parent.iterdir()] == ["kernel"]


def test_a_package_without_a_kernel_leaves_the_older_one_in_place(apt: Path) -> None:
    deb(apt / "package", "usr/share/doc/x/copyright")
    (apt / "var/kernel/old").mkdir(parents=True)
    with pytest.raises(TestbedError, match=r"has no kernel image with modules"):
        qemu_install.unpack_kernel(apt / "var/kernel")
    assert [path.name for path in (apt / "var").rglob("*")] == ["kernel", "old"]


def test_a_distribution_without_that_kernel_is_told_which_kernels_there_are(apt: Path) -> None:
    (apt / "depends").write_text("N: Unable to locate package\n")
    with pytest.raises(
        TestbedError, match=r"apt knows no linux-image-cloud-amd64 .* use --kubelb-lab-kernel uml"
    ):
        qemu_install.unpack_kernel(apt / "var/kernel")


def way(name: str, script: str, patience_s: float | None = None) -> Way:
    return Way(name, ["sh", "-c", script], patience_s=patience_s)


COMES_UP = "echo 'kubelb: kernel runs'; echo 'kubelb: ready'; exec sleep 60"


@pytest.mark.parametrize("broken", ["exit 1", "exec sleep 60"])
def test_a_kvm_that_dies_or_hangs_is_given_up_for_the_emulator(tmp_path: Path, broken: str) -> None:
    # The real thing, where it can be had: this machine's /dev/kvm may do either, or work.
    guest = Guest([way("qemu, kvm", broken, 0.3), way("qemu, tcg", COMES_UP)], tmp_path / "console")
    guest.wait_ready(10)
    assert qemu.accelerator(guest) == "tcg"
    guest.process.kill()
    guest.process.wait()


def test_a_kvm_that_runs_the_kernel_is_kept_however_long_the_rest_takes(tmp_path: Path) -> None:
    slow = "echo 'kubelb: kernel runs'; sleep 1; echo 'kubelb: ready'; exec sleep 60"
    guest = Guest([way("qemu, kvm", slow, 0.5), way("qemu, tcg", "exit 1")], tmp_path / "console")
    guest.wait_ready(10)
    assert qemu.accelerator(guest) == "kvm"
    guest.process.kill()
    guest.process.wait()


def test_when_the_last_way_fails_its_last_words_are_the_reason(tmp_path: Path) -> None:
    guest = Guest([way("qemu, tcg", "echo no such image; exit 1")], tmp_path / "console")
    with pytest.raises(TestbedError) as caught:
        guest.wait_ready(10)
    assert str(caught.value) == ("the load balancer's kernel (qemu, tcg) did not come up: 'no such image'")


@pytest.mark.parametrize("text", ["0", "17", "two", "²", "-1"])
def test_a_bad_number_of_cpus_is_refused(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KUBELB_LAB_CPUS", text)
    with pytest.raises(TestbedError, match="write a whole number from 1 to 16"):
        qemu.cpus()


def test_queues_are_what_makes_auto_take_qemu_and_a_named_kernel_stays() -> None:
    assert requirements.choose_kernel("auto", needs_queues=True) == "qemu"
    assert requirements.choose_kernel("qemu") == "qemu"
    assert requirements.choose_kernel("auto") != "qemu"
    assert requirements.choose_kernel("uml", needs_queues=True) == "uml"


def test_qemu_without_its_kernel_names_the_command_that_brings_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if os.geteuid() != 0 or requirements.missing(requirements.needed("qemu")):
        pytest.skip("something else than the kernel is missing here, and would be said first")
    monkeypatch.setattr(qemu_kernel, "FOLDER", tmp_path)
    with pytest.raises(TestbedError) as caught:
        requirements.check("qemu")
    assert str(caught.value) == (
        "the lab's load balancer runs under qemu and needs a kernel to boot, which is not in"
        f" {tmp_path}; run `kubelb lab install --kernel qemu`"
    )
