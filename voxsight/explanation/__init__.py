"""What in a picture, or in the sound, a prediction depends on."""

# Methods of attribution by the names of their flags; CAMs with their class in pytorch_grad_cam.
CAMS = {"gradcam": "GradCAM", "hirescam": "HiResCAM", "layercam": "LayerCAM"}
OCCLUSIONS = ("occlusion-rows", "occlusion-frames")
METHODS = (*CAMS, *OCCLUSIONS)
LAYERS = ("layer1", "layer2", "layer3", "layer4")  # stages of the ResNet
# With a linear head HiResCAM of the last stage is Grad-CAM again.
DEFAULT_LAYERS = dict.fromkeys(METHODS, "layer4") | {"hirescam": "layer1"}
