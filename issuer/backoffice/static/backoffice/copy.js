// Copies in full what a page shows shortened. Without it the buttons stay hidden.
document.addEventListener("DOMContentLoaded", () => {
    if (!navigator.clipboard) {
        return; // pages that came over an unprotected line may not write to it
    }
    for (const button of document.querySelectorAll("button[data-copy]")) {
        button.hidden = false;
        button.addEventListener("click", async () => {
            await navigator.clipboard.writeText(button.dataset.copy);
            button.textContent = "Copied";
            setTimeout(() => { button.textContent = "Copy"; }, 2000);
        });
    }
});
